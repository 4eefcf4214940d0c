/** Runs as the list shows them: those of one sweep together. */
import type { RunSummary } from '../../tokens';

export interface RunGroup {
  /** Id of the sweep; null for a run by itself. */
  sweep: string | null;
  runs: RunSummary[];
}

/** The runs in their order; those of a sweep stand where the first of them does. */
export function groupRuns(runs: readonly RunSummary[]): RunGroup[] {
  const groups: RunGroup[] = [];
  const sweeps = new Map<string, RunGroup>();
  for (const run of runs) {
    const known = run.sweep ? sweeps.get(run.sweep) : undefined;
    if (known) {
      known.runs.push(run);
      continue;
    }
    const group = { sweep: run.sweep ?? null, runs: [run] };
    groups.push(group);
    if (run.sweep) {
      sweeps.set(run.sweep, group);
    }
  }
  return groups;
}

/** `evaluate.rmse` → `rmse` where no other step has one of that name. */
export function shortMetrics(names: readonly string[]): Map<string, string> {
  const shortOf = (name: string): string => name.slice(name.indexOf('.') + 1);
  const counts = new Map<string, number>();
  for (const name of names) {
    counts.set(shortOf(name), (counts.get(shortOf(name)) ?? 0) + 1);
  }
  return new Map(names.map(name => [name, counts.get(shortOf(name)) === 1 ? shortOf(name) : name]));
}
