import { describe, expect, it } from 'vitest';

import { diffLines } from '../../labextension/src/diff';
import { followLog, NO_LOG, readLog } from '../../labextension/src/log';
import { formatNumber } from '../../labextension/src/units';
import { groupRuns, shortMetrics } from '../../labextension/src/panels/runs/grouping';
import type { LogPiece, RunSummary } from '../../labextension/src/tokens';

/** The texts that a difference was made of. */
function ends(before: string, after: string): [string, string] {
  const lines = diffLines(before, after);
  const without = (kind: string): string =>
    lines
      .filter(line => line.kind !== kind)
      .map(line => line.text)
      .join('\n');
  return [without('added'), without('removed')];
}

describe('a difference', () => {
  it.each([
    ['a\nb\nc', 'a\nx\nc'],
    ['a\nb', 'b\na'],
    ['', 'a'],
    ['a\nb\nc\nd', 'd'],
    ['x = 1\ny = 2', 'x = 1\n\ny = 2\nz = 3']
  ])('holds both texts: %j, %j', (before, after) => {
    expect(ends(before, after)).toEqual([before, after]);
  });

  it('is least, and leaves out what is far from it', () => {
    const text = Array.from({ length: 30 }, (_, at) => `line ${at}`).join('\n');
    const lines = diffLines(text, text.replace('line 15', 'other'));
    expect(lines.filter(line => ['added', 'removed'].includes(line.kind))).toHaveLength(2);
    expect(lines.map(line => line.kind)).toContain('gap');
    expect(lines.length).toBeLessThan(12);
    expect(diffLines('same', 'same')).toEqual([]);
  });
});

describe('a log', () => {
  it('shows what was left standing in a line, without colours', () => {
    expect(readLog('one\r\ntwo\rthree\n\u001b[31mred\u001b[0m\n')).toEqual([
      { kind: 'text', text: 'one\nthree\nred' }
    ]);
  });

  it('shows progress as such, and of one bar the last state', () => {
    const bar = (percent: number): string =>
      `epoch 1: ${percent}%|███       | ${percent}/100 [00:01<00:02]`;
    expect(readLog(`${bar(10)}\r${bar(40)}\n${bar(70)}\nafter 50% of it\n`)).toEqual([
      { kind: 'progress', label: 'epoch 1', percent: 70, note: '70/100 [00:01<00:02]' },
      { kind: 'text', text: 'after 50% of it' }
    ]);
  });

  it('shows bars below each other as two lines that change', () => {
    const bar = (label: string, percent: number): string =>
      `${label}: ${percent}%|██    | ${percent}/100`;
    const inner = [10, 100, 50].map(percent => `\n\r${bar('in', percent)}\u001b[A`).join('');
    expect(readLog(`begin\n\r${bar('out', 0)}${inner}\r${bar('out', 50)}\n\nend\n`)).toEqual([
      { kind: 'text', text: 'begin' },
      { kind: 'progress', label: 'out', percent: 50, note: '50/100' },
      { kind: 'progress', label: 'in', percent: 50, note: '50/100' },
      { kind: 'text', text: 'end' }
    ]);
  });

  it('of many megabytes in one line, written over and over, is read at once', () => {
    const text = '\r 10%|█         | 1/10'.repeat(10_000);
    expect(readLog(text)).toEqual([{ kind: 'progress', label: '', percent: 10, note: '1/10' }]);
  });
});

describe('a log that grows', () => {
  const part = (log: string, start: number): LogPiece => ({ log, start, end: start + log.length });

  it('is put together of its parts', () => {
    const parts = [part('one\ntw', 0), part('o\n', 6), part('', 8), part('three', 8)];
    const seen = parts.reduce((known, next) => followLog(known, next, 100), NO_LOG);
    expect(seen).toEqual(part('one\ntwo\nthree', 0));
  });

  it('loses whole lines at its beginning when it is long', () => {
    const seen = followLog(part('one\ntwo\n', 0), part('three\n', 8), 12);
    expect([seen.log, seen.start > 0, seen.end]).toEqual(['two\nthree\n', true, 14]);
    // More was written between two looks than is fetched.
    expect(followLog(seen, part('lf\nlast\n', 500), 100)).toMatchObject({
      log: 'last\n',
      end: 508
    });
  });

  it('of one bar keeps what it has written last', () => {
    const bars = Array.from({ length: 100 }, (_, at) => `\r${at}%|#| ${at}/100`).join('');
    const seen = followLog(NO_LOG, part(`${bars}\n`, 0), 50);
    expect(readLog(seen.log)).toMatchObject([{ kind: 'progress', percent: 99 }]);
    expect(seen.log.length).toBeLessThanOrEqual(50);
  });

  it('is replaced where the step has begun anew', () => {
    expect(followLog(part('long ago', 0), part('new', 0), 100)).toEqual(part('new', 0));
  });
});

describe('numbers', () => {
  it.each([
    [0.99309, '0.9931'],
    [1234.5678, '1234.57'],
    [12345, '12,345'],
    [0, '0'],
    [1.5e-7, '1.500e-7'],
    [-2, '-2'],
    [NaN, 'NaN']
  ])('%d is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('runs', () => {
  it('of a sweep stand together, where the first of them does', () => {
    const runs = ['a', 's1', 'b', 's1', 's2'].map((name, at) => ({
      run_id: String(at),
      sweep: name.startsWith('s') ? name : null
    })) as RunSummary[];
    expect(groupRuns(runs).map(group => [group.sweep, group.runs.map(run => run.run_id)])).toEqual([
      [null, ['0']],
      ['s1', ['1', '3']],
      [null, ['2']],
      ['s2', ['4']]
    ]);
  });

  it('have metrics with short names where these are their own', () => {
    expect([...shortMetrics(['test.rmse', 'train.rmse', 'test.r2']).values()]).toEqual([
      'test.rmse',
      'train.rmse',
      'r2'
    ]);
  });
});
