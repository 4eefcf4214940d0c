/** The runs of one notebook that the list shows: what is looked for, and as many pages as were asked for. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { PipelinesClient } from './client';
import { PINNED, type HistoryQuery, type RunSummary, type UnfinishedSweep } from './tokens';

const PAGE = 50;
/** How long after the last letter the server is asked. */
const TYPING_PAUSE_MS = 200;

export class History {
  constructor(
    private readonly _client: PipelinesClient,
    private readonly _path: () => string
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get runs(): readonly RunSummary[] {
    return this._runs;
  }

  /** How many runs there are that fit what is looked for. */
  get total(): number {
    return this._total;
  }

  get hasMore(): boolean {
    return this._next !== null;
  }

  /** A sweep that has not come to its end; null for one that has. */
  unfinishedSweep(sweepId: string): UnfinishedSweep | null {
    return this._sweeps.find(({ sweep_id }) => sweep_id === sweepId) ?? null;
  }

  /** How many runs a sweep has, on this page and on others. */
  runsOfSweep(sweepId: string): number {
    return this._sweepRuns[sweepId] ?? 0;
  }

  get query(): HistoryQuery {
    return this._query;
  }

  /** Whether something is looked for; if not, all runs are there. */
  get isFiltered(): boolean {
    return Object.values(this._query).some(Boolean);
  }

  /** Look for something else; asked soon, when nothing more is typed. */
  look(query: HistoryQuery): void {
    this._query = query;
    this._changed.emit();
    clearTimeout(this._timer);
    this._timer = setTimeout(() => void this.refresh(), TYPING_PAUSE_MS);
  }

  /** Ask again for what is shown, as much of it as is shown. */
  async refresh(): Promise<void> {
    const limit = Math.min(1000, Math.max(PAGE, this._runs.length));
    await this._ask({ ...this._query, limit }, []);
  }

  /** Ask for one more page. */
  async more(): Promise<void> {
    if (this._next !== null) {
      await this._ask({ ...this._query, limit: PAGE, before: this._next }, this._runs);
    }
  }

  async annotate(run: RunSummary, change: { tags?: string[]; comment?: string }): Promise<void> {
    // Shown at once; the answer of the server is the truth.
    this._runs = this._runs.map(old => (old === run ? { ...old, ...change } : old));
    this._changed.emit();
    try {
      await this._client.annotate(this._path(), run.run_id, change);
    } finally {
      await this.refresh();
    }
  }

  /** Keep a run, or let it go. */
  async pin(run: RunSummary, isPinned: boolean): Promise<void> {
    const others = run.tags.filter(tag => tag !== PINNED);
    await this.annotate(run, { tags: isPinned ? [...others, PINNED] : others });
  }

  dispose(): void {
    clearTimeout(this._timer);
    Signal.clearData(this);
  }

  private async _ask(query: HistoryQuery, before: readonly RunSummary[]): Promise<void> {
    const question = ++this._asked;
    const page = await this._client.runs(this._path(), query);
    // A later question has overtaken this answer.
    if (question === this._asked) {
      const known = new Set(before.map(run => run.run_id));
      this._runs = [...before, ...page.runs.filter(run => !known.has(run.run_id))];
      this._total = page.total;
      this._next = page.next;
      this._sweeps = page.sweeps ?? [];
      this._sweepRuns = { ...(before.length ? this._sweepRuns : {}), ...page.sweep_runs };
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _runs: readonly RunSummary[] = [];
  private _total = 0;
  private _next: string | null = null;
  private _sweeps: readonly UnfinishedSweep[] = [];
  private _sweepRuns: { readonly [sweepId: string]: number } = {};
  private _query: HistoryQuery = {};
  private _asked = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
