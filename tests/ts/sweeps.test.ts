import { describe, expect, it } from 'vitest';

import { isOutside, readHints } from '../../labextension/src/parameters';
import { countCombinations, grid, readRange, sample } from '../../labextension/src/sweeps';
import type { Parameter } from '../../labextension/src/tokens';

function parameter(name: string, type: Parameter['type'], comment = ''): Parameter {
  return { name, type, comment, default: null, source: '' };
}

const alpha = parameter('alpha', 'float');
const count = parameter('count', 'int');

describe('ranges', () => {
  it.each([
    ['0.1, 0.5,0.5', alpha, [0.1, 0.5]],
    ['1..10 by 3', count, [1, 4, 7, 10]],
    ['0.1..0.3 by 0.1', alpha, [0.1, 0.2, 0.3]],
    ['a, b c', parameter('kind', 'str'), ['a', 'b c']],
    ['true, False', parameter('on', 'bool'), [true, false]],
    ['[[1, 2], []]', parameter('layers', 'list'), [[1, 2], []]]
  ])('%s are values', (text, of, values) => {
    expect(readRange(text, of)).toEqual({ kind: 'values', values });
  });

  it.each([
    ['x', alpha],
    ['1.5', count],
    ['3..1', alpha],
    ['0..1 log', alpha],
    ['1..2 by 0', alpha],
    ['0..1 by 0.00001', alpha],
    ['', alpha],
    ['1, 2', parameter('layers', 'list')]
  ])('%s means nothing', (text, of) => {
    expect(readRange(text, of)).toBeNull();
  });

  it('between two numbers are continuous', () => {
    expect(readRange('1e-3..1 log', alpha)).toEqual({
      kind: 'between',
      low: 0.001,
      high: 1,
      isLogarithmic: true
    });
  });
});

describe('sets of parameters', () => {
  const ranges = new Map([
    ['alpha', readRange('0.1, 0.2', alpha)!],
    ['count', readRange('1, 2, 3', count)!]
  ]);

  it('are every combination, with what all have', () => {
    expect(countCombinations(ranges)).toBe(6);
    const sets = grid(ranges, { seed: 1, alpha: 9 });
    expect(sets).toHaveLength(6);
    expect(sets[1]).toEqual({ seed: 1, alpha: 0.1, count: 2 });
  });

  it('are at random within the range, each once', () => {
    const wide = new Map([
      ['alpha', readRange('0.001..1 log', alpha)!],
      ['count', readRange('1..4', count)!]
    ]);
    expect(countCombinations(wide)).toBe(Infinity);
    const sets = sample(wide, [alpha, count], 25);
    expect(new Set(sets.map(set => JSON.stringify(set))).size).toBe(25);
    for (const set of sets) {
      expect(set.alpha).toBeGreaterThanOrEqual(0.001);
      expect(set.alpha).toBeLessThanOrEqual(1);
      expect([1, 2, 3, 4]).toContain(set.count);
    }
    expect(sample(ranges, [alpha, count], 100)).toHaveLength(6);
    const few = new Map([['count', readRange('1..2', count)!]]);
    expect(sample(few, [count], 10)).toHaveLength(2);
  });
});

describe('hints in comments', () => {
  it.each([
    ['how many (1 to 10)', [1, 10]],
    ['between 0 and 1', [0, 1]],
    ['share, 0..1', [0, 1]],
    ['in [0.5, 2]', [0.5, 2]],
    ['from 2013-01 on', [null, null]],
    ['train on the months before this one', [null, null]],
    ['makes it repeatable (see 3)', [null, null]]
  ])('%s', (comment, [minimum, maximum]) => {
    expect(readHints(parameter('x', 'float', comment))).toMatchObject({ minimum, maximum });
  });

  it.each([
    ['one of: forest, boost', ['forest', 'boost']],
    ['forest | boost', ['forest', 'boost']],
    ["choices: 'a' or 'b'", ['a', 'b']],
    ['one of the best known models', []],
    ['the kind', []]
  ])('%s', (comment, choices) => {
    expect(readHints(parameter('kind', 'str', comment)).choices).toEqual(choices);
  });

  it('are told from values that go against them', () => {
    const hints = readHints(parameter('x', 'int', '(1 to 10)'));
    expect([0, 1, 10, 11, undefined].map(value => isOutside(value, hints))).toEqual([
      true,
      false,
      false,
      true,
      false
    ]);
  });
});
