import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { metricOverTime, parallelCoordinates } from '../../labextension/src/panels/compare/charts';
import { describeTables } from '../../labextension/src/panels/compare/data';
import { columnsOf, sortRuns, stepNames } from '../../labextension/src/panels/compare/table';
import type { ComparedRun, JSONValue, PreviewContent } from '../../labextension/src/tokens';

function run(at: number, values: { [name: string]: JSONValue }, rmse?: number): ComparedRun {
  return {
    run_id: `r${at}`,
    created_at: `2026-01-0${at}T00:00:00Z`,
    values,
    metrics: rmse === undefined ? {} : { 'test.rmse': rmse },
    steps: [{ name: 'a' }, { name: `only${at}` }]
  } as unknown as ComparedRun;
}

const RUNS = [
  run(1, { alpha: 0.5, kind: 'x', seed: 1 }, 3),
  run(2, { alpha: 0.1, kind: 'y', seed: 1 }, 1),
  run(3, { alpha: 10, kind: 'x', seed: 1 })
];
const THEME = { text: '', page: '', line: '', grid: '', error: '', font: '' };

describe('a comparison', () => {
  const columns = columnsOf(RUNS);

  it('has what differs first', () => {
    expect(columns.map(column => [column.label, column.differs, column.isNumeric])).toEqual([
      ['alpha', true, true],
      ['kind', true, false],
      ['rmse', true, true],
      ['seed', false, true]
    ]);
  });

  it('is sorted as numbers or as words, what is missing last', () => {
    const order = (key: string, descending: boolean): string[] =>
      sortRuns(RUNS, columns, { key, descending }).map(({ run_id: id }) => id);
    expect(order('parameter alpha', false)).toEqual(['r2', 'r1', 'r3']);
    expect(order('metric test.rmse', true)).toEqual(['r1', 'r2', 'r3']);
    expect(order('parameter kind', true)).toEqual(['r2', 'r1', 'r3']);
    expect(sortRuns(RUNS, columns, null)).toEqual(RUNS);
  });

  it('knows the steps of all', () => {
    expect(stepNames(RUNS)).toEqual(['a', 'only1', 'only2', 'only3']);
  });

  it('is drawn where there is enough to draw', () => {
    const spec = parallelCoordinates(RUNS, columns, THEME) as {
      layer: { data: { values: object[] } }[];
    };
    expect(spec.layer[1].data.values).toHaveLength(8);
    expect(parallelCoordinates(RUNS.slice(0, 1), columnsOf(RUNS.slice(0, 1)), THEME)).toBeNull();
    const chart = metricOverTime(RUNS, columns[2], THEME, 'run') as { data: { values: object[] } };
    expect(chart.data.values).toHaveLength(2);
  });
});

describe('two tables', () => {
  const table = (rows: number, ...columns: [string, string][]): PreviewContent => ({
    kind: 'table',
    shape: [rows, columns.length],
    columns: columns.map(([name, dtype]) => ({ name, dtype })),
    index: null,
    rows: []
  });
  const trans = nullTranslator.load('');

  it('differ in rows, columns and types', () => {
    const before = table(200, ['a', 'int64'], ['b', 'object']);
    const after = table(150, ['a', 'float64'], ['c', 'object']);
    expect(describeTables(trans, before, after)).toEqual([
      '50 rows fewer (-25.0 %)',
      'new columns: c',
      'columns that are gone: b',
      'type of a: int64, now float64'
    ]);
    expect(describeTables(trans, before, before)).toEqual(['same shape and types, other values']);
    expect(describeTables(trans, before, null)).toEqual([]);
  });
});
