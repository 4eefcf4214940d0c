/** Charts of a comparison. */
import { basis, type Spec, type Theme } from '../../charts';
import type { ComparedRun, JSONValue } from '../../tokens';
import type { Column } from './table';

/** More axes than these cannot be told apart. */
const MOST_AXES = 10;

/** One line for each run, through an axis for each thing that differs; null where there is too little. */
export function parallelCoordinates(
  runs: readonly ComparedRun[],
  columns: readonly Column[],
  theme: Theme
): Spec | null {
  const axes = uniqueLabels(columns.filter(column => column.differs)).slice(0, MOST_AXES);
  if (axes.length < 2 || runs.length < 2) {
    return null;
  }
  const values = axes.flatMap(column => {
    const scale = scaleOf(column);
    return runs.flatMap(run => {
      const value = column.values.get(run.run_id);
      return value === undefined
        ? []
        : [{ run: nameOf(run), axis: column.label, at: scale(value), value: written(value) }];
    });
  });
  const ends = axes.flatMap((column, at) =>
    endsOf(column).map(end => ({ ...end, isLast: at === axes.length - 1 }))
  );
  const x = {
    field: 'axis',
    type: 'nominal',
    sort: axes.map(column => column.label),
    title: null,
    axis: { orient: 'top', labelAngle: 0, labelFontWeight: 'bold', domain: false, ticks: false }
  };
  const y = { field: 'at', type: 'quantitative', axis: null, scale: { domain: [-0.08, 1.08] } };
  // Beside the axis, where no line begins; with the page's colour around it, for lines that pass.
  const words = (isLast: boolean, mark: Spec): Spec => ({
    data: { values: ends.filter(end => end.isLast === isLast) },
    mark: {
      type: 'text',
      align: isLast ? 'left' : 'right',
      dx: isLast ? 7 : -7,
      fontSize: 10,
      ...mark
    },
    encoding: { x, y, text: { field: 'value' } }
  });
  return {
    ...basis(theme),
    width: Math.max(360, axes.length * 120),
    height: 220,
    layer: [
      {
        data: { values: axes.map(column => ({ axis: column.label })) },
        mark: { type: 'rule', color: theme.grid },
        encoding: { x }
      },
      {
        data: { values },
        mark: { type: 'line', color: theme.line, opacity: 0.65, point: { color: theme.line } },
        encoding: {
          x,
          y,
          detail: { field: 'run' },
          tooltip: [{ field: 'run' }, { field: 'axis' }, { field: 'value' }]
        }
      },
      ...[false, true].flatMap(isLast => [
        words(isLast, { stroke: theme.page, strokeWidth: 3 }),
        words(isLast, { color: theme.text })
      ])
    ]
  };
}

/** A metric of the runs, from the oldest to the newest, whose numbers stand at an axis of this name. */
export function metricOverTime(
  runs: readonly ComparedRun[],
  column: Column,
  theme: Theme,
  axis: string
): Spec {
  const inTime = [...runs].sort((one, other) => (one.created_at < other.created_at ? -1 : 1));
  return {
    ...basis(theme),
    width: 260,
    height: 120,
    data: {
      values: inTime.flatMap((run, at) => {
        const value = column.values.get(run.run_id);
        return typeof value === 'number' ? [{ at: at + 1, run: nameOf(run), value }] : [];
      })
    },
    mark: { type: 'line', color: theme.line, point: { color: theme.line } },
    encoding: {
      x: {
        field: 'at',
        type: 'ordinal',
        title: axis,
        axis: { labelAngle: 0, labelOverlap: true }
      },
      y: { field: 'value', type: 'quantitative', title: column.label, scale: { zero: false } },
      tooltip: [{ field: 'run' }, { field: 'value' }]
    }
  };
}

/** A parameter and a metric of one name are two axes. */
function uniqueLabels(columns: readonly Column[]): Column[] {
  const labels = columns.map(column => column.label);
  return columns.map(column =>
    labels.filter(label => label === column.label).length > 1
      ? { ...column, label: `${column.kind} ${column.name}` }
      : column
  );
}

/** Where a value stands on its axis, from 0 to 1. */
function scaleOf(column: Column): (value: JSONValue) => number {
  const { values, isNumeric } = column;
  if (isNumeric) {
    const [low, high] = limits(column);
    return value => (high > low ? ((value as number) - low) / (high - low) : 0.5);
  }
  const places = [...new Set([...values.values()].map(written))].sort();
  return value => (places.length > 1 ? places.indexOf(written(value)) / (places.length - 1) : 0.5);
}

function limits({ values }: Column): [number, number] {
  const numbers = [...values.values()].filter(value => typeof value === 'number');
  return [Math.min(...numbers), Math.max(...numbers)];
}

/** What is written at an axis: its ends, or every value where these are words. */
function endsOf(column: Column): { axis: string; at: number; value: string }[] {
  const scale = scaleOf(column);
  const told: JSONValue[] = column.isNumeric
    ? limits(column)
    : [...column.values.values()].filter(value => value !== undefined);
  const marks = new Map(
    told.map(value => [
      written(value),
      { axis: column.label, at: scale(value), value: written(value) }
    ])
  );
  return [...marks.values()];
}

function written(value: JSONValue | undefined): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'number'
      ? String(Number(value.toPrecision(5)))
      : (JSON.stringify(value) ?? '');
}

function nameOf(run: ComparedRun): string {
  return new Date(run.created_at).toLocaleString();
}
