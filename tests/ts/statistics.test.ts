import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { inColours } from '../../labextension/src/panels/statistics/chart';
import { shownName } from '../../labextension/src/panels/statistics/columns';
import { findingOf } from '../../labextension/src/panels/statistics/finding';
import { arrange, judge, percent } from '../../labextension/src/panels/statistics/rows';
import { inWords, outline } from '../../labextension/src/panels/statistics/sparkline';
import type { Anomaly, ColumnRow, TableChange } from '../../labextension/src/tokens';

const trans = nullTranslator.load('');

function row(name: string, more: Partial<ColumnRow> = {}): ColumnRow {
  return {
    name,
    type: 'float',
    dtype: 'float64',
    is_gone: false,
    anomalies: [],
    nulls: 0,
    reference_nulls: 0,
    distinct: 3,
    reference_distinct: 3,
    bins: null,
    numbers: {},
    reference_numbers: null,
    drift: null,
    ...more
  };
}

function anomaly(kind: string, more: Partial<Anomaly> = {}): Anomaly {
  return {
    feature: 'price',
    kind,
    severity: 'warning',
    description: `${kind}.`,
    output: 'df',
    ...more
  };
}

const NO_CHANGE: TableChange = {
  rows_before: 10,
  rows_after: 10,
  columns_added: [],
  columns_removed: [],
  columns_renamed: [],
  types: [],
  nulls: [],
  categories_lost: [],
  categories_gained: [],
  drift: {}
};

const names = (rows: readonly ColumnRow[]): string[] => rows.map(({ name }) => name);

describe('the columns of a table', () => {
  const rows = judge(
    trans,
    [
      row('price', { anomalies: [anomaly('nulls_increased')], nulls: 0.5 }),
      row('x10', { drift: { effect: 2 } }),
      row('x9', { type: 'string', dtype: 'str', nulls: 0.1 })
    ],
    null
  );

  it('are guilty or quiet', () => {
    const { guilty, quiet } = arrange(rows, '', 'verdict');
    expect([names(guilty), names(quiet)]).toEqual([['price'], ['x10', 'x9']]);
    expect(guilty[0].verdicts).toEqual([
      { severity: 'warning', words: 'nulls increased', sentence: 'nulls_increased.' }
    ]);
  });

  it('are found by name, type and verdict, by all words', () => {
    const found = (words: string): string[] => {
      const { guilty, quiet } = arrange(rows, words, 'verdict');
      return names([...guilty, ...quiet]);
    };
    expect(found('X')).toEqual(['x10', 'x9']);
    expect(found('x string')).toEqual(['x9']);
    expect(found('nulls incr')).toEqual(['price']);
    expect(found('nothing')).toEqual([]);
  });

  it('are sorted as a person asks for, numbers in names as numbers', () => {
    const sorted = (order: 'table' | 'name' | 'nulls' | 'drift'): string[] =>
      names(arrange(rows, '', order).quiet);
    expect(sorted('table')).toEqual(['price', 'x10', 'x9']);
    expect(sorted('name')).toEqual(['price', 'x9', 'x10']);
    expect(sorted('nulls')).toEqual(['price', 'x9', 'x10']);
    expect(sorted('drift')).toEqual(['x10', 'price', 'x9']);
  });
});

describe('what a step did', () => {
  const words = (changes: Partial<TableChange>, name = 'a'): string[] =>
    judge(trans, [row(name)], { ...NO_CHANGE, ...changes })[0].verdicts.map(
      verdict => verdict.words
    );

  it('is told of each column', () => {
    expect(words({})).toEqual([]);
    expect(words({ columns_added: ['a'] })).toEqual(['new']);
    expect(words({ columns_renamed: [{ before: 'b', after: 'a' }] })).toEqual(['renamed']);
    expect(words({ types: [{ column: 'a', before: 'int', after: 'float' }] })).toEqual([
      'int → float'
    ]);
    expect(words({ nulls: [{ column: 'a', before: 0, after: 4 }] })).toEqual(['+4 nulls']);
    expect(words({ categories_lost: [{ column: 'a', values: ['x', 'y'] }] })).toEqual([
      '2 values lost'
    ]);
  });

  it('is not that fewer rows have fewer nulls', () => {
    const halved = { rows_after: 5, nulls: [{ column: 'a', before: 4, after: 2 }] };
    expect(words(halved)).toEqual([]);
    expect(words({ ...halved, nulls: [{ column: 'a', before: 4, after: 0 }] })).toEqual([
      '−4 nulls'
    ]);
  });

  it('puts the columns it has changed first', () => {
    const rows = judge(trans, [row('a'), row('b'), row('c')], {
      ...NO_CHANGE,
      columns_added: ['c']
    });
    expect(names(rows)).toEqual(['c', 'a', 'b']);
  });
});

describe('the mark of a step', () => {
  const found = [
    anomaly('nulls_increased'),
    anomaly('missing_column', { severity: 'error', output: 'other' }),
    anomaly('new_column', { severity: 'info' })
  ];

  it('tells the gravest, and counts what matters', () => {
    expect(findingOf(trans, found)).toMatchObject({ severity: 'error', count: 2 });
    expect(findingOf(trans, found, ['df'])).toEqual({
      severity: 'warning',
      count: 1,
      sentence: '1 anomaly\ndf.price: nulls increased'
    });
  });

  it('is none where nothing matters', () => {
    expect(findingOf(trans, [])).toBeNull();
    expect(findingOf(trans, found, ['third'])).toBeNull();
    expect(findingOf(trans, [found[2]])).toBeNull();
  });
});

describe('a drawing of a distribution', () => {
  it('has steps as high as the shares', () => {
    expect(outline([0, 0.5], 0.5, 10, 13)).toBe('0.0,12.0 5.0,12.0 5.0,2.0 10.0,2.0');
  });

  it('is told in words', () => {
    const numbers = { kind: 'numbers' as const, current: [1], reference: null };
    expect(inWords(trans, { ...numbers, start_text: '1', stop_text: '9' })).toBe(
      'Distribution from 1 to 9'
    );
    expect(
      inWords(trans, { kind: 'values', current: [0.75, 0.25], reference: null, labels: ['a', 'b'] })
    ).toBe('Shares: a 75 %, b 25 %');
  });

  it('has the colours of the page', () => {
    const theme = { text: 'T', page: 'P', line: 'L', grid: 'G', error: 'E', font: 'F' };
    const spec = inColours({ layer: [], config: { style: {} } }, theme, 300) as {
      width: number;
      layer: unknown[];
      config: { style: { [name: string]: { color: string } } };
    };
    expect([spec.width, spec.layer]).toEqual([300, []]);
    expect(spec.config.style.current.color).toBe('L');
    expect(spec.config.style.unseen.color).toBe('E');
  });
});

describe('words', () => {
  it('tell shares with as many digits as matter', () => {
    expect([0, 1, 0.153, 0.0004].map(percent)).toEqual(['0 %', '100 %', '15.3 %', '0.04 %']);
  });

  it('show names that cannot be seen', () => {
    expect(['price', ' ', 'a\u202eb'].map(shownName)).toEqual(['price', "' '", 'a\\u202eb']);
  });
});
