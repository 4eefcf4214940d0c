/** The tasks that the server carries out beside runs: exports, verifications and the like. */
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';

import type { PipelinesClient } from './client';
import type { RunEvents } from './events';
import { CommandIDs, type TaskKind, type TaskSummary } from './tokens';

/** Events may be missed: while tasks are under way they are asked for at least this often. */
const POLL_MS = 10_000;

/** Learns of tasks from events, whichever window they were begun in, and keeps those that are under way. */
export class ActiveTasks {
  constructor(
    private readonly _client: PipelinesClient,
    events: RunEvents
  ) {
    events.taskHappened.connect(() => void this.refresh());
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A task that was under way has ended. */
  get ended(): ISignal<this, TaskSummary> {
    return this._ended;
  }

  get all(): TaskSummary[] {
    return [...this._tasks.values()];
  }

  /** The task of a kind that is under way for a notebook. */
  find(kind: TaskKind, path: string): TaskSummary | null {
    return this.all.find(task => task.kind === kind && task.path === path) ?? null;
  }

  async refresh(): Promise<void> {
    clearTimeout(this._poll);
    try {
      const tasks = await this._client.tasks();
      const ended = tasks.filter(
        ({ task_id, status }) => status !== 'running' && this._tasks.has(task_id)
      );
      this._tasks = new Map(
        tasks.filter(({ status }) => status === 'running').map(task => [task.task_id, task])
      );
      this._changed.emit();
      ended.forEach(task => this._ended.emit(task));
    } catch {
      // The panel tells that the server does not answer.
    }
    clearTimeout(this._poll);
    if (this._tasks.size > 0) {
      this._poll = setTimeout(() => void this.refresh(), POLL_MS);
    }
  }

  async cancel({ task_id }: TaskSummary): Promise<void> {
    await this._client.cancelTask(task_id);
    await this.refresh();
  }

  private _tasks = new Map<string, TaskSummary>();
  private _poll: ReturnType<typeof setTimeout> | undefined;
  private _changed = new Signal<this, void>(this);
  private _ended = new Signal<this, TaskSummary>(this);
}

/** By kind, the command that shows a task. */
export const TASK_COMMANDS: { readonly [kind in TaskKind]: string } = {
  export: CommandIDs.exportPipeline,
  verify: CommandIDs.verify,
  import: CommandIDs.importRun,
  doctor: CommandIDs.doctor,
  check: CommandIDs.checkStore,
  gc: CommandIDs.reclaimSpace
};

/** What a task is called, in its tab and wherever tasks are listed. */
export function taskTitle(trans: TranslationBundle, kind: TaskKind, path: string): string {
  const name = PathExt.basename(path, '.ipynb');
  switch (kind) {
    case 'export':
      return trans.__('Export %1', name);
    case 'verify':
      return trans.__('Verify %1', name);
    case 'import':
      return trans.__('Import a run');
    case 'doctor':
      return trans.__('Installation');
    case 'check':
      return trans.__('Check the store');
    case 'gc':
      return trans.__('Reclaim space');
  }
}
