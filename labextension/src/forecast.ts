/** What a run would do, before anybody clicks: how many steps, and about how long. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Edge, Pipeline } from './tokens';
import { formatWholeSeconds } from './units';

export interface Forecast {
  total: number;
  /** Steps that run for certain. */
  certain: number;
  /** Steps that run, or wait for others and may turn out to need no run. */
  possible: number;
  /** How long that takes at most; null where nobody can say. */
  seconds: number | null;
}

/**
 * What a run of a pipeline would do, or of what one step needs; `force` runs that step in any case.
 *
 * For the whole the server knows best how long it takes; for a part the steps that run are taken one
 * after the other, which is the longest that it can take.
 */
export function forecast(pipeline: Pipeline, target?: string, force = false): Forecast {
  const needed = target === undefined ? null : neededFor(target, pipeline.edges);
  const steps = pipeline.steps.filter(({ name }) => needed === null || needed.has(name));
  const isForced = (name: string): boolean => force && name === target;
  const certain = steps.filter(({ name, decision }) => decision === 'run' || isForced(name));
  const possible = steps.filter(({ name, decision }) => decision !== 'reuse' || isForced(name));
  const known = possible.map(step => step.expected_duration_seconds);
  const sum = known.reduce<number>((total, seconds) => total + (seconds ?? 0), 0);
  const isUnknown = known.every(seconds => seconds === null);
  return {
    total: steps.length,
    certain: certain.length,
    possible: possible.length,
    seconds:
      possible.length === 0
        ? 0
        : needed === null
          ? pipeline.expected_duration_seconds
          : isUnknown
            ? null
            : sum
  };
}

/** A step and all that it needs. */
export function neededFor(target: string, edges: readonly Edge[]): Set<string> {
  return reached(target, edges, edge => [edge.target, edge.source]);
}

/** A step and all that reads of it, directly or not. */
export function affectedBy(source: string, edges: readonly Edge[]): Set<string> {
  return reached(source, edges, edge => [edge.source, edge.target]);
}

function reached(
  start: string,
  edges: readonly Edge[],
  way: (edge: Edge) => [string, string]
): Set<string> {
  const next = new Map<string, string[]>();
  for (const edge of edges) {
    const [from, to] = way(edge);
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const found = new Set([start]);
  for (const name of found) {
    next.get(name)?.forEach(other => found.add(other));
  }
  return found;
}

/** `3 of 11 steps, about 40 s`. */
export function forecastSentence(trans: TranslationBundle, expected: Forecast): string {
  const { total, certain, possible, seconds } = expected;
  if (possible === 0) {
    return trans._n('%1 step, up to date', '%1 steps, all up to date', total);
  }
  const count =
    certain < possible
      ? certain > 0
        ? trans.__('%1 to %2 of %3 steps', certain, possible, total)
        : trans._n('up to %2 of %1 step', 'up to %2 of %1 steps', total, possible)
      : trans._n('%2 of %1 step', '%2 of %1 steps', total, possible);
  if (!seconds) {
    return count;
  }
  const time = formatWholeSeconds(Math.max(1, seconds));
  return certain < possible
    ? trans.__('%1, up to about %2', count, time)
    : trans.__('%1, about %2', count, time);
}
