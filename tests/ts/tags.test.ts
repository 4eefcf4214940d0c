import { describe, expect, it } from 'vitest';

import {
  isCache,
  isLimit,
  isStepName,
  namesStep,
  NO_LIMITS,
  readTags,
  tagsOf,
  writeTags,
  type CellTags
} from '../../labextension/src/tags';

const JOIN: CellTags = { kind: 'join', step: '', role: null, cache: 'on', limits: NO_LIMITS };

describe('reading', () => {
  it.each<[string[], Partial<CellTags>]>([
    [[], JOIN],
    [['step:train'], { kind: 'step', step: 'train' }],
    [['step:train', 'role:trainer', 'cache:12h'], { role: 'trainer', cache: '12h' }],
    [['block:train'], { kind: 'step', step: 'train' }],
    [['block:'], { kind: 'join', step: '' }],
    [['prev:load', 'limit:gpu:1', 'cache:disabled'], { kind: 'join', cache: 'off' }],
    [['parameters'], { kind: 'parameters' }],
    [['pipeline-parameters'], { kind: 'parameters' }],
    [['imports'], { kind: 'shared' }],
    [['functions'], { kind: 'shared' }],
    [['pipeline-metrics'], { kind: 'metrics' }],
    [['skip'], { kind: 'skip' }],
    [['role:wizard'], { role: null }]
  ])('%j', (tags, said) => {
    expect(readTags(tags)).toMatchObject(said);
  });
});

describe('limits', () => {
  const tags = [
    'step:train',
    'retries:2',
    'mine',
    'timeout:30m',
    'memory: 4Gi',
    'limit:nvidia.com/gpu:1'
  ];

  it('are read, in Kale’s spelling too', () => {
    const limits = { retries: '2', timeout: '30m', cpu: '', memory: '4Gi', gpu: '1' };
    expect(readTags(tags).limits).toEqual(limits);
    expect(writeTags(tags, readTags(tags))).toEqual(tags);
  });

  it('are changed where they stand, and go with their step', () => {
    const said = readTags(tags);
    const wanted = { ...said, limits: { ...NO_LIMITS, timeout: '1h', cpu: '0.5', gpu: '2' } };
    expect(writeTags(tags, wanted)).toEqual([
      'step:train',
      'mine',
      'timeout:1h',
      'gpu:2',
      'cpu:0.5'
    ]);
    expect(writeTags(tags, JOIN)).toEqual(['mine']);
  });

  it('have values that the server would take', () => {
    expect(isLimit('cpu', '500m') && isLimit('memory', '1.5Gi') && isLimit('timeout', '')).toBe(
      true
    );
    expect(isLimit('gpu', 'half') || isLimit('retries', '-1') || isLimit('memory', '4 GB')).toBe(
      false
    );
  });
});

describe('writing', () => {
  it('changes only what has to change, where it stands', () => {
    const tags = ['mine', 'block:train', 'prev:load', 'role:trainer', 'image:x'];
    const wanted: CellTags = {
      kind: 'step',
      step: 'fit',
      role: 'evaluator',
      cache: 'off',
      limits: NO_LIMITS
    };
    expect(writeTags(tags, wanted)).toEqual([
      'mine',
      'step:fit',
      'prev:load',
      'role:evaluator',
      'image:x',
      'cache:off'
    ]);
  });

  it('leaves a cell alone that already says so, in whatever spelling', () => {
    for (const tags of [['block:train'], ['imports', 'x'], ['cache:enabled', 'step:a'], []]) {
      expect(writeTags(tags, readTags(tags))).toEqual(tags);
    }
  });

  it('takes a step away with its role and cache, and keeps other people’s tags', () => {
    const tags = ['step:train', 'role:trainer', 'cache:off', 'mine'];
    expect(writeTags(tags, JOIN)).toEqual(['mine']);
  });

  it('is read back as it was meant', () => {
    const kinds: CellTags['kind'][] = ['step', 'join', 'parameters', 'skip'];
    const befores = [
      [],
      ['parameters'],
      ['step:a', 'cache:1h'],
      ['skip', 'block:b'],
      ['functions']
    ];
    for (const kind of kinds) {
      for (const before of befores) {
        const wanted: CellTags =
          kind === 'step'
            ? {
                kind,
                step: 'new',
                role: 'monitor',
                cache: '30m',
                limits: { ...NO_LIMITS, timeout: '1h', gpu: '1' }
              }
            : { ...JOIN, kind };
        expect(readTags(writeTags(before, wanted))).toEqual(wanted);
      }
    }
  });
});

it('knows names and ages', () => {
  expect(['train', 'a1', 'a_b-c'].filter(isStepName)).toHaveLength(3);
  expect(['', 'Train', '1a', '_a', 'a b', 'ä', '-a'].filter(isStepName)).toEqual([]);
  expect(['on', 'off', '30m', '1.5h', '7d', '2w', '10s'].filter(isCache)).toHaveLength(7);
  expect(['', 'no', '12', 'h', '12 h'].filter(isCache)).toEqual([]);
});

it('sees a step in a tag or in the first line', () => {
  expect(namesStep(['step:a'], '')).toBe(true);
  expect(namesStep([], '%%step a --role trainer')).toBe(true);
  expect(namesStep(['parameters'], 'x = 1')).toBe(false);
  expect(namesStep([], '%%stepwise')).toBe(false);
});

it('takes malformed tags for none', () => {
  expect(tagsOf(undefined)).toEqual([]);
  expect(tagsOf('step:a')).toEqual([]);
  expect(tagsOf(['a', 1, null])).toEqual(['a']);
});
