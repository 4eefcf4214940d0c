/** One pipeline model for each open notebook, and which of them is in front. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Signal, type ISignal } from '@lumino/signaling';

import { ActiveRuns } from './activeRuns';
import { ActiveTasks } from './activeTasks';
import type { PipelinesClient } from './client';
import type { RunEvents } from './events';
import { PipelineModel } from './model';
import type { IPipelineTracker } from './tokens';

/** A notebook that is open, and its pipeline. */
export interface OpenNotebook {
  panel: NotebookPanel;
  model: PipelineModel;
}

/**
 * Follows the notebooks that are opened, shown, edited and closed.
 *
 * It makes a model for each, tells it whether it is in front and whether the panel shows it, passes
 * events on, and keeps the selected cell and the selected step together. It draws nothing.
 */
export class PipelineTracker implements IPipelineTracker<PipelineModel> {
  constructor(
    readonly client: PipelinesClient,
    private readonly _notebooks: INotebookTracker,
    readonly events: RunEvents
  ) {
    this.activeRuns = new ActiveRuns(client, events);
    this.activeTasks = new ActiveTasks(client, events);
    void this.activeRuns.refresh();
    void this.activeTasks.refresh();
    this._notebooks.widgetAdded.connect((_, panel) => this._add(panel));
    this._notebooks.forEach(panel => this._add(panel));
    this._notebooks.currentChanged.connect(() => this._updateFront());
    events.happened.connect((_, event) => {
      for (const { model } of this._open.values()) {
        model.onRunEvent(event);
      }
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') {
        // Events sent while the page was away are lost.
        void this.current?.refresh();
        void this.activeRuns.refresh();
        void this.activeTasks.refresh();
      }
    });
    this._updateFront();
  }

  /** Runs that are under way, of any notebook. */
  readonly activeRuns: ActiveRuns;

  /** Exports, verifications and the like that are under way. */
  readonly activeTasks: ActiveTasks;

  get current(): PipelineModel | null {
    return this.currentNotebook?.model ?? null;
  }

  get currentNotebook(): OpenNotebook | null {
    const panel = this._notebooks.currentWidget;
    return (panel && this._open.get(panel)) ?? null;
  }

  /** The open notebook at a path of the contents API; of several views of it, the one in front. */
  find(path: string): OpenNotebook | null {
    const there = [...this._open.values()].filter(({ model }) => model.path === path);
    return there.find(({ model }) => model === this.current) ?? there[0] ?? null;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A notebook was opened and its document is there. */
  get opened(): ISignal<this, OpenNotebook> {
    return this._opened;
  }

  /** Whether the panel is on screen. */
  get isShown(): boolean {
    return this._isShown;
  }

  set isShown(shown: boolean) {
    this._isShown = shown;
    for (const { model } of this._open.values()) {
      model.isShown = shown;
    }
  }

  forEach(visit: (notebook: OpenNotebook) => void): void {
    this._open.forEach(visit);
  }

  private _add(panel: NotebookPanel): void {
    void panel.context.ready.then(() => {
      const notebookModel = panel.context.model;
      if (panel.isDisposed || !notebookModel) {
        return;
      }
      const { context } = panel;
      const model = new PipelineModel(this.client, {
        model: notebookModel,
        get path() {
          return context.localPath;
        }
      });
      const notebook = { panel, model };
      this._open.set(panel, notebook);
      model.changed.connect(() => {
        if (model === this.current) {
          this._changed.emit();
        }
      });
      panel.content.activeCellChanged.connect(() => followActiveCell(notebook));
      panel.context.pathChanged.connect(() => void model.refresh());
      panel.disposed.connect(() => {
        this._open.delete(panel);
        model.dispose();
      });
      model.isShown = this._isShown;
      this._opened.emit(notebook);
      this._updateFront();
    });
  }

  private _updateFront(): void {
    const { currentWidget } = this._notebooks;
    for (const { panel, model } of this._open.values()) {
      model.isFront = panel === currentWidget;
    }
    this._changed.emit();
  }

  private _open = new Map<NotebookPanel, OpenNotebook>();
  private _isShown = false;
  private _changed = new Signal<this, void>(this);
  private _opened = new Signal<this, OpenNotebook>(this);
}

/** Selecting a cell selects its step; a cell of no step leaves the selection as it is. */
function followActiveCell({ panel, model }: OpenNotebook): void {
  const step = model.stepOfCell(panel.content.activeCellIndex);
  if (step) {
    model.selectStep(step.name);
  }
}

/** Scroll to a cell, make it the active one, and put the cursor into a line (counted from 1). */
export async function revealCell(
  { panel }: OpenNotebook,
  index: number,
  line?: number
): Promise<void> {
  const notebook = panel.content;
  const cell = notebook.widgets[index];
  if (!cell) {
    return;
  }
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToCell(cell, 'smart');
  if (line === undefined) {
    notebook.mode = 'command';
  } else {
    notebook.mode = 'edit';
    cell.editor?.setCursorPosition({ line: line - 1, column: 0 });
  }
}

/** Select a step, scroll to its first cell and select all of its cells. */
export async function revealStep(notebook: OpenNotebook, name: string): Promise<void> {
  const { model, panel } = notebook;
  model.selectStep(name);
  const cells = model.step(name)?.cells ?? [];
  if (cells.length === 0) {
    return;
  }
  await revealCell(notebook, cells[0]);
  for (const index of cells.slice(cells.length > 1 ? 0 : 1)) {
    const cell = panel.content.widgets[index];
    if (cell) {
      panel.content.select(cell);
    }
  }
}
