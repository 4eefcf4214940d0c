/**
 * The pipeline of one open notebook, as the panel, the marks on the cells and the commands see it:
 * what the unsaved document says, what a run would do, the run under way, runs of the past, and what
 * is selected.
 */
import type { INotebookModel } from '@jupyterlab/notebook';
import { Signal, type ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

import type { PipelinesClient, RunRequest } from './client';
import { History } from './history';
import {
  parseOverrides,
  writeText,
  writeValue,
  type Overrides,
  type ParsedOverrides
} from './parameters';
import { ResponseError, UnavailableError } from './request';
import { namesStep, tagsOf } from './tags';
import {
  isActive,
  NAMESPACE,
  type ErrorDetails,
  type NotebookContent,
  type Parameters,
  type Pipeline,
  type Run,
  type RunEvent,
  type RunSummary,
  type Step,
  type StepRun,
  type Suggestion
} from './tokens';

/** How long after the last of a burst of edits the server is asked. */
const EDIT_PAUSE_MS = 150;
/** A run's events come in bursts too: it is fetched at most this often. */
const RUN_INTERVAL_MS = 150;
/** Events may be missed; while a run is under way it is fetched at least this often. */
const POLL_INTERVAL_MS = 3000;
/** A server that does not answer is asked this often whether it is back. */
const RETRY_INTERVAL_MS = 3000;

/** What the notebook's metadata keep for the panel. */
interface SavedMetadata {
  parameter_sets?: { [name: string]: Parameters };
  [other: string]: unknown;
}

type Timer = ReturnType<typeof setTimeout> | undefined;

/** Why there is no pipeline to show. */
export type NoPipelineReason = 'loading' | 'unreachable' | 'no-extension' | 'error';

/** The document behind a pipeline; what is needed of a notebook's context. */
export interface PipelineDocument {
  /** As the contents API has it. */
  readonly path: string;
  readonly model: INotebookModel;
}

export class PipelineModel implements IDisposable {
  constructor(
    private readonly _client: PipelinesClient,
    private readonly _document: PipelineDocument
  ) {
    this._document.model.contentChanged.connect(this._onEdit, this);
    this.history = new History(_client, () => this.path);
    this.history.changed.connect(() => this._changed.emit());
  }

  /** Runs of the past, as far as they are shown. */
  readonly history: History;

  /** Anything below has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get client(): PipelinesClient {
    return this._client;
  }

  get path(): string {
    return this._document.path;
  }

  /** The last answer for the document; null as long as there is none. */
  get pipeline(): Pipeline | null {
    return this._pipeline;
  }

  /** What to draw: the last pipeline that could be read, so that half a word does not empty the panel. */
  get drawn(): Pipeline | null {
    return this._pipeline?.state === 'error'
      ? (this._readable ?? this._pipeline)
      : (this._pipeline ?? this._readable);
  }

  /** Why there is no answer, or none that is of use; null when there is one. */
  get noPipelineReason(): NoPipelineReason | null {
    return this._failure ?? (this._pipeline ? null : 'loading');
  }

  /** What went wrong with the last thing that the user asked for. */
  get notice(): ErrorDetails | null {
    return this._notice;
  }

  /** Runs of this notebook, newest first. */
  get runs(): readonly RunSummary[] {
    // The list is fetched less often than the run that is under way.
    return this.history.runs.map(run =>
      run.run_id === this._run?.run_id ? { ...run, status: this._run.status } : run
    );
  }

  /** How many steps of a run may run at the same time; null: the server decides. */
  get jobs(): number | null {
    return this._jobs;
  }

  set jobs(jobs: number | null) {
    this._jobs = jobs;
    this._changed.emit();
  }

  /** The kernelspec for runs; null: the notebook's own. */
  get kernel(): string | null {
    return this._kernel;
  }

  set kernel(kernel: string | null) {
    this._kernel = kernel;
    this._changed.emit();
  }

  /** The run that is under way; null when there is none. */
  get activeRun(): Run | null {
    return this._run && isActive(this._run.status) ? this._run : null;
  }

  /** Whether a run has been asked for and is not known to have ended. */
  get isRunning(): boolean {
    return this._starting || this._activeId !== null;
  }

  /** The past run that was selected, or null. */
  get selectedRun(): Run | null {
    return this._selectedRun;
  }

  /** The run whose steps are shown: the one selected, else the one under way. */
  get shownRun(): Run | null {
    return this._selectedRun ?? this.activeRun;
  }

  /** The newest run, if it did not come to a good end; fetched when first asked for. */
  get failedRun(): Run | null {
    const newest = this.history.isFiltered ? null : (this.history.runs[0] ?? null);
    if (this.isRunning || newest === null || newest.status === 'succeeded') {
      return null;
    }
    return this.pastRun(newest.run_id);
  }

  get selectedStep(): string | null {
    return this._selectedStep;
  }

  /** What the user has typed in place of the parameters' defaults. */
  get overrides(): Overrides {
    return this._overrides;
  }

  /** What the overrides mean, and which of them mean nothing: with such a one there is no run. */
  get parsedOverrides(): ParsedOverrides {
    return parseOverrides(this._overrides, this.drawn?.parameters ?? []);
  }

  /** Whether the panel is on screen; without it only a notebook with steps is worth a question. */
  set isShown(shown: boolean) {
    if (shown !== this._isShown) {
      this._isShown = shown;
      if (shown && this._isFront) {
        void this.refresh();
      }
    }
  }

  /** Whether the notebook is the one in front; the others wait. */
  set isFront(front: boolean) {
    if (front !== this._isFront) {
      this._isFront = front;
      if (front) {
        void this.refresh();
      }
    }
  }

  /** The document as it is now, without outputs. */
  content(): NotebookContent {
    return withoutOutputs(this._document.model);
  }

  /** The step that a name stands for, in what is drawn. */
  step(name: string | null): Step | null {
    return this.drawn?.steps.find(step => step.name === name) ?? null;
  }

  /** The step that the cell at an index belongs to. */
  stepOfCell(index: number): Step | null {
    return this.drawn?.steps.find(step => step.cells.includes(index)) ?? null;
  }

  /** The state of a step in the run that is shown. */
  stepRun(name: string): StepRun | null {
    return this.shownRun?.steps.find(step => step.name === name) ?? null;
  }

  /** A run that has ended, fetched when it is first asked for; null until it is there. */
  pastRun(runId: string | null): Run | null {
    if (runId === null) {
      return null;
    }
    if (!this._pastRuns.has(runId)) {
      this._pastRuns.set(runId, null);
      void this._fetchPastRun(runId);
    }
    return this._pastRuns.get(runId) ?? null;
  }

  /** A step in the run that is shown, or in the last one that had it. */
  lastStepRun(name: string): StepRun | null {
    const last = this.step(name)?.last?.run_id ?? null;
    return this.stepRun(name) ?? this.pastRun(last)?.steps.find(step => step.name === name) ?? null;
  }

  /** Ask the server what the document says now, and which runs there are. */
  async refresh(): Promise<void> {
    this._asked = null;
    await Promise.all([this._inspect(), this._fetchRuns()]);
  }

  /** Run what is not up to date; with `steps`, only what these need; with `force`, these in any case. */
  async run(wanted: { steps?: string[]; force?: string[] } = {}): Promise<void> {
    const { values, wrong } = this.parsedOverrides;
    if (wrong.length === 0) {
      await this._start({ parameters: values, ...wanted });
    }
  }

  /** Run again what a run did not come to, with its parameters and the notebook as it is now. */
  async retry(run: Run): Promise<void> {
    const wasWhole = run.steps.length >= (this.drawn?.steps.length ?? 0);
    const known = run.steps.map(step => step.name).filter(name => this.step(name) !== null);
    await this._start({ parameters: run.parameters, steps: wasWhole ? [] : known });
  }

  /** How the notebook may be cut into steps; null, with a notice, where it may not. */
  async suggest(): Promise<Suggestion | null> {
    let suggestion: Suggestion | null = null;
    await this._attempt(async () => {
      suggestion = await this._client.suggest(this.path, this.content());
    });
    return suggestion;
  }

  /** Start a run for each set of parameters. */
  async sweep(sets: Parameters[], parallel: number): Promise<void> {
    this._notice = null;
    await this._attempt(async () => {
      await this._client.startSweep({
        path: this.path,
        content: this._document.model.toJSON() as unknown as NotebookContent,
        parameter_sets: sets,
        parallel,
        ...(this._jobs === null ? {} : { jobs: this._jobs })
      });
    });
  }

  async cancelSweep(sweepId: string): Promise<void> {
    await this._attempt(() => this._client.cancelSweep(this.path, sweepId));
  }

  async resumeSweep(sweepId: string): Promise<void> {
    await this._attempt(() => this._client.resumeSweep(this.path, sweepId));
    await this._fetchRuns();
  }

  /** End the run that is under way; finished steps are kept. */
  async cancel(): Promise<void> {
    const runId = this._activeId;
    if (runId !== null) {
      await this._attempt(async () => {
        await this._client.cancel(this.path, runId);
        this._fetchRunSoon();
      });
    }
  }

  /** End one step of the run that is under way; what needs it is skipped, the others go on. */
  async cancelStep(step: string): Promise<void> {
    const runId = this._activeId;
    if (runId !== null) {
      await this._attempt(async () => {
        await this._client.cancelStep(this.path, runId, step);
        this._fetchRunSoon();
      });
    }
  }

  dismissNotice(): void {
    this._setNotice(null);
  }

  selectStep(name: string | null): void {
    if (name !== this._selectedStep) {
      this._selectedStep = name;
      this._changed.emit();
    }
  }

  /** Show the steps of a past run; null: those of now. */
  async selectRun(runId: string | null): Promise<void> {
    this._wantedRun = runId;
    if (runId === null) {
      this._selectedRun = null;
      this._changed.emit();
      return;
    }
    try {
      const run = await this._client.run(this.path, runId);
      // A later click has overtaken this answer.
      if (this._wantedRun === runId && !this._isDisposed) {
        this._selectedRun = run;
        this._changed.emit();
      }
    } catch (error) {
      this._setNotice(asDetails(error));
    }
  }

  /** Replace a parameter's default in the plan and in runs; null: the default again. */
  override(name: string, text: string | null): void {
    const { [name]: _, ...others } = this._overrides;
    this._overrides = text === null ? others : { ...others, [name]: text };
    this._changed.emit();
    this._onEdit();
  }

  /** Take the values of `values` in place of the defaults; parameters that it lacks keep theirs. */
  overrideAll(values: Parameters): void {
    const known = this.drawn?.parameters ?? [];
    this._overrides = Object.fromEntries(
      known
        .filter(({ name }) => name in values)
        .map(parameter => [parameter, writeText(values[parameter.name], parameter.type)] as const)
        .filter(([parameter, text]) => text !== writeValue(parameter))
        .map(([{ name }, text]) => [name, text])
    );
    this._changed.emit();
    this._onEdit();
  }

  /** Sets of values that the user has saved, by name. They are kept in the notebook's metadata. */
  get parameterSets(): { [name: string]: Parameters } {
    const said = this._document.model.getMetadata(NAMESPACE) as SavedMetadata | undefined;
    const sets = said?.parameter_sets;
    return typeof sets === 'object' && sets !== null ? sets : {};
  }

  /** Save what is typed as a set, or with `null` forget the set. */
  saveParameterSet(name: string, values: Parameters | null): void {
    const { [name]: _, ...others } = this.parameterSets;
    const sets = values === null ? others : { ...others, [name]: values };
    const said = (this._document.model.getMetadata(NAMESPACE) ?? {}) as SavedMetadata;
    const { parameter_sets: __, ...rest } = said;
    const metadata = Object.keys(sets).length > 0 ? { ...rest, parameter_sets: sets } : rest;
    if (Object.keys(metadata).length > 0) {
      this._document.model.setMetadata(NAMESPACE, metadata);
    } else {
      this._document.model.deleteMetadata(NAMESPACE);
    }
    this._changed.emit();
  }

  /** A run has changed somewhere; it may be one of this notebook's. */
  onRunEvent(event: RunEvent): void {
    if (event.run_id !== this._activeId && event.path !== this.path) {
      return;
    }
    if (event.run_id !== this._activeId && this._pastRuns.get(event.run_id)) {
      // Tables are measured beside a run, and anomalies found after its end.
      this._fetchPastRunSoon(event.run_id);
    } else if (this._activeId === null || event.run_id === this._activeId) {
      this._follow(event.run_id);
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._editTimer);
    clearTimeout(this._runTimer);
    clearTimeout(this._pollTimer);
    clearTimeout(this._retryTimer);
    this._pastRunTimers.forEach(timer => clearTimeout(timer));
    this.history.dispose();
    Signal.clearData(this);
  }

  private async _start(wanted: Partial<RunRequest>): Promise<void> {
    if (this.isRunning) {
      return;
    }
    this._starting = true;
    this._notice = null;
    this._selectedRun = null;
    this._changed.emit();
    await this._attempt(async () => {
      const runId = await this._client.start({
        path: this.path,
        content: this._document.model.toJSON() as unknown as NotebookContent,
        ...wanted,
        ...(this._jobs === null ? {} : { jobs: this._jobs }),
        ...(this._kernel === null ? {} : { kernel: this._kernel })
      });
      this._follow(runId);
    });
    this._starting = false;
    this._changed.emit();
  }

  /** Do what the user asked for; what goes wrong is told. */
  private async _attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this._setNotice(asDetails(error));
    }
  }

  private _onEdit(): void {
    clearTimeout(this._editTimer);
    this._editTimer = setTimeout(() => void this._inspect(), EDIT_PAUSE_MS);
  }

  private async _inspect(): Promise<void> {
    if (!this._isFront || this._isDisposed || !(this._isShown || this._hasSteps())) {
      return;
    }
    const { values } = this.parsedOverrides;
    const content = withoutOutputs(this._document.model);
    const question = JSON.stringify([this.path, content, values]);
    if (question === this._asked) {
      return;
    }
    this._asked = question;
    try {
      const pipeline = await this._client.inspect(this.path, content, values);
      // The document has changed since: a newer answer is on its way.
      if (this._asked === question && !this._isDisposed) {
        this._failure = null;
        this._setPipeline(pipeline);
      }
    } catch (error) {
      if (this._asked === question && !this._isDisposed) {
        this._asked = null;
        this._fail(error);
      }
    }
  }

  private _setPipeline(pipeline: Pipeline): void {
    this._pipeline = pipeline;
    if (pipeline.state !== 'error') {
      this._readable = pipeline;
    }
    if (pipeline.run_id !== null && pipeline.run_id !== this._activeId) {
      this._follow(pipeline.run_id);
    }
    this._changed.emit();
  }

  private _fail(error: unknown): void {
    if (error instanceof UnavailableError) {
      this._failure = error.reason;
      if (error.reason === 'unreachable') {
        clearTimeout(this._retryTimer);
        this._retryTimer = setTimeout(() => void this.refresh(), RETRY_INTERVAL_MS);
      }
    } else {
      this._failure = 'error';
      this._notice = asDetails(error);
    }
    this._changed.emit();
  }

  private async _fetchRuns(): Promise<void> {
    if (!this._isFront || !this._isShown || this._isDisposed) {
      return;
    }
    try {
      await this.history.refresh();
    } catch {
      // The panel tells already why the server has no answer: the same question went with this one.
    }
  }

  private _fetchPastRunSoon(runId: string): void {
    clearTimeout(this._pastRunTimers.get(runId));
    const timer = setTimeout(() => {
      this._pastRunTimers.delete(runId);
      void this._fetchPastRun(runId);
    }, RUN_INTERVAL_MS);
    this._pastRunTimers.set(runId, timer);
  }

  private async _fetchPastRun(runId: string): Promise<void> {
    try {
      const run = await this._client.run(this.path, runId);
      if (this._isDisposed) {
        return;
      }
      this._pastRuns.set(runId, run);
      if (this._selectedRun?.run_id === runId) {
        this._selectedRun = run;
      }
      this._changed.emit();
    } catch {
      // Its step's line is all that is known of it then.
    }
  }

  /** Keep up with a run until it has ended. */
  private _follow(runId: string): void {
    if (runId === this._ended) {
      return;
    }
    this._activeId = runId;
    this._fetchRunSoon();
  }

  private _fetchRunSoon(): void {
    this._runTimer ??= setTimeout(() => {
      this._runTimer = undefined;
      void this._fetchRun();
    }, RUN_INTERVAL_MS);
  }

  private async _fetchRun(): Promise<void> {
    const runId = this._activeId;
    if (runId === null || this._isDisposed) {
      return;
    }
    clearTimeout(this._pollTimer);
    try {
      const run = await this._client.run(this.path, runId);
      if (this._isDisposed || runId !== this._activeId) {
        return;
      }
      const wasOutOfReach = this._failure === 'unreachable';
      this._failure = wasOutOfReach ? null : this._failure;
      const isNew = this._run?.run_id !== runId;
      this._run = run;
      if (isActive(run.status)) {
        this._changed.emit();
        if (wasOutOfReach) {
          void this.refresh();
        } else if (isNew) {
          void this._fetchRuns();
        }
      } else {
        this._activeId = null;
        this._ended = runId;
        this._pastRuns.set(runId, run);
        this._notice = run.error;
        // What ran is told by the plan from now on.
        await this.refresh();
      }
    } catch (error) {
      if (error instanceof ResponseError && error.status === 404) {
        this._activeId = null;
        this._changed.emit();
        return;
      }
      // Out of reach: the run goes on without us, and is asked for again.
      if (error instanceof UnavailableError && this._failure === null) {
        this._failure = error.reason;
        this._changed.emit();
      }
    }
    if (this._activeId !== null) {
      clearTimeout(this._pollTimer);
      this._pollTimer = setTimeout(() => void this._fetchRun(), POLL_INTERVAL_MS);
    }
  }

  private _hasSteps(): boolean {
    for (const cell of this._document.model.cells) {
      if (cell.type === 'code' && namesStep(tagsOf(cell.getMetadata('tags')), firstLine(cell))) {
        return true;
      }
    }
    return false;
  }

  private _setNotice(notice: ErrorDetails | null): void {
    this._notice = notice;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _pipeline: Pipeline | null = null;
  private _readable: Pipeline | null = null;
  private _failure: NoPipelineReason | null = null;
  private _notice: ErrorDetails | null = null;
  private _jobs: number | null = null;
  private _kernel: string | null = null;
  private _run: Run | null = null;
  private _activeId: string | null = null;
  private _ended: string | null = null;
  private _pastRunTimers = new Map<string, ReturnType<typeof setTimeout>>();
  private _pastRuns = new Map<string, Run | null>();
  private _starting = false;
  private _selectedRun: Run | null = null;
  private _wantedRun: string | null = null;
  private _selectedStep: string | null = null;
  private _overrides: Overrides = {};
  private _asked: string | null = null;
  private _isShown = false;
  private _isFront = false;
  private _isDisposed = false;
  private _editTimer: Timer;
  private _runTimer: Timer;
  private _pollTimer: Timer;
  private _retryTimer: Timer;
}

/** The document as a plan needs it: outputs can be large, and say nothing about what will run. */
export function withoutOutputs(model: INotebookModel): NotebookContent {
  const cells = Array.from(model.cells, cell => {
    const shared = cell.sharedModel;
    const content: { [key: string]: unknown } = {
      id: cell.id,
      cell_type: cell.type,
      source: shared.getSource(),
      metadata: shared.getMetadata()
    };
    if (cell.type === 'code') {
      Object.assign(content, { outputs: [], execution_count: null });
    }
    return content;
  });
  return {
    nbformat: model.nbformat,
    nbformat_minor: model.nbformatMinor,
    metadata: { ...model.sharedModel.getMetadata() },
    cells
  };
}

function firstLine(cell: { sharedModel: { getSource(): string } }): string {
  return cell.sharedModel.getSource().trimStart().split('\n', 1)[0];
}

/** Any error as the panel shows it. */
export function asDetails(error: unknown): ErrorDetails {
  if (error instanceof ResponseError) {
    return error.error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'unavailable', message, details: {} };
}
