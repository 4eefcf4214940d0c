/** The runs that are under way on the server, whichever notebook, window or terminal they are from. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { PipelinesClient } from './client';
import type { RunEvents } from './events';
import { ResponseError } from './request';
import { isActive, type Run, type RunStatus } from './tokens';

/** A run, and where its notebook is for the contents API. */
export interface LocatedRun {
  path: string;
  run: Run;
}

/** Events of a run come in bursts: it is fetched at most this often. */
const INTERVAL_MS = 400;
/** Events may be missed: while runs are under way they are fetched at least this often. */
const POLL_MS = 10_000;

/**
 * Learns of runs from events, and asks the server about each until it has ended.
 *
 * It knows at first what is under way in the project at the server's root directory.
 */
export class ActiveRuns {
  constructor(
    private readonly _client: PipelinesClient,
    events: RunEvents
  ) {
    events.happened.connect((_, { path, run_id }) => this._fetchSoon(path, run_id));
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A run that was under way has ended. */
  get ended(): ISignal<this, LocatedRun> {
    return this._ended;
  }

  get all(): LocatedRun[] {
    return [...this._runs.values()];
  }

  /** Ask which runs there are, and about those that are known. */
  async refresh(): Promise<void> {
    for (const { path, run } of this.all) {
      this._fetchSoon(path, run.run_id);
    }
    for (const status of ['running', 'queued'] as RunStatus[]) {
      try {
        const page = await this._client.runs('', { status, limit: 100 });
        page.runs.forEach(run => this._fetchSoon(run.notebook, run.run_id));
      } catch {
        // The panel tells that the server does not answer.
        return;
      }
    }
  }

  async cancel({ path, run }: LocatedRun): Promise<void> {
    await this._client.cancel(path, run.run_id);
    this._fetchSoon(path, run.run_id);
  }

  private _fetchSoon(path: string, runId: string): void {
    if (!this._timers.has(runId)) {
      const timer = setTimeout(() => {
        this._timers.delete(runId);
        void this._fetch(path, runId);
      }, INTERVAL_MS);
      this._timers.set(runId, timer);
    }
  }

  private async _fetch(path: string, runId: string): Promise<void> {
    const known = this._runs.get(runId);
    try {
      const run = await this._client.run(path, runId);
      if (isActive(run.status)) {
        this._runs.set(runId, { path, run });
        this._changed.emit();
      } else if (this._runs.delete(runId)) {
        this._changed.emit();
        this._ended.emit({ path, run });
      }
    } catch (error) {
      if (error instanceof ResponseError && known) {
        this._runs.delete(runId);
        this._changed.emit();
      }
    }
    clearTimeout(this._poll);
    if (this._runs.size > 0) {
      this._poll = setTimeout(() => void this.refresh(), POLL_MS);
    }
  }

  private _runs = new Map<string, LocatedRun>();
  private _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private _poll: ReturnType<typeof setTimeout> | undefined;
  private _changed = new Signal<this, void>(this);
  private _ended = new Signal<this, LocatedRun>(this);
}

/** How many steps of a run are done, and how many it has. */
export function progressOf({ steps }: Run): [number, number] {
  return [
    steps.filter(({ status }) => status !== 'queued' && status !== 'running').length,
    steps.length
  ];
}
