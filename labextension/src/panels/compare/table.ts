/** The table of a comparison: what is compared, what differs, and its order. */
import type { ComparedRun, JSONValue } from '../../tokens';
import { shortMetrics } from '../runs/grouping';

export interface Column {
  /** Unique: the kind and the name. */
  key: string;
  kind: 'parameter' | 'metric';
  name: string;
  /** The name as it is shown: without the step, where that is clear. */
  label: string;
  /** By run; undefined where the run has none. */
  values: Map<string, JSONValue | undefined>;
  /** Whether not all runs have the same. */
  differs: boolean;
  isNumeric: boolean;
}

export interface Order {
  key: string;
  descending: boolean;
}

/** Every parameter and metric of the runs; those that differ come first. */
export function columnsOf(runs: readonly ComparedRun[]): Column[] {
  const make = (
    kind: Column['kind'],
    of: (run: ComparedRun) => { [name: string]: JSONValue }
  ): Column[] => {
    const names = new Set(runs.flatMap(run => Object.keys(of(run))));
    const labels = kind === 'metric' ? shortMetrics([...names]) : new Map<string, string>();
    return [...names].map(name => {
      const values = new Map(runs.map(run => [run.run_id, of(run)[name]]));
      const known = [...values.values()].filter(value => value !== undefined);
      return {
        key: `${kind} ${name}`,
        kind,
        name,
        label: labels.get(name) ?? name,
        values,
        differs: new Set([...values.values()].map(value => JSON.stringify(value))).size > 1,
        isNumeric: known.length > 0 && known.every(value => typeof value === 'number')
      };
    });
  };
  const all = [...make('parameter', run => run.values), ...make('metric', run => run.metrics)];
  return [...all.filter(column => column.differs), ...all.filter(column => !column.differs)];
}

/** The runs in the order of a column; those that lack it come last. `null`: as they are. */
export function sortRuns(
  runs: readonly ComparedRun[],
  columns: readonly Column[],
  order: Order | null
): ComparedRun[] {
  const column = columns.find(({ key }) => key === order?.key);
  if (!column || !order) {
    return [...runs];
  }
  const sign = order.descending ? -1 : 1;
  return [...runs].sort((one, other) => {
    const [first, second] = [one, other].map(run => column.values.get(run.run_id));
    if (first === undefined || second === undefined) {
      return Number(first === undefined) - Number(second === undefined);
    }
    return sign * compareValues(first, second);
  });
}

function compareValues(one: JSONValue, other: JSONValue): number {
  if (typeof one === 'number' && typeof other === 'number') {
    return one - other;
  }
  const [first, second] = [one, other].map(value =>
    typeof value === 'string' ? value : JSON.stringify(value)
  );
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Steps of any of the runs, in the order in which they first come. */
export function stepNames(runs: readonly ComparedRun[]): string[] {
  return [...new Set(runs.flatMap(run => run.steps.map(step => step.name)))];
}
