import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { edgeKind, edgeSentence, unitSentence } from '../../labextension/src/state';
import type { Edge, Step, StepRun, Verdict } from '../../labextension/src/tokens';
import { inputsOf, shortSummary, valuesOf, type Value } from '../../labextension/src/values';

const trans = nullTranslator.load('');
const UNIT = { steps: ['make', 'read', 'rest'], names: ['rows', 'lock'] };

function edge(change: Partial<Edge>): Edge {
  const plain = { names: [], state: [], learned: false, explicit: false, kernel: false };
  return { source: 'make', target: 'read', ...plain, ...change };
}

function verdict(name: string, change: Partial<Verdict> = {}): Verdict {
  const kept = { carriable: true, kept: true, materializer: 'json', size_bytes: 13, message: '' };
  return { name, type: 'list', ...kept, ...change };
}

describe('an edge is told in one sentence', () => {
  it.each([
    ['reads', { names: ['x', 'y'] }, '`read` reads `x`, `y` from `make`'],
    [
      'kernel',
      { names: ['rows'], kernel: true, learned: true },
      '`read` goes on in the kernel of `make`: `rows`, `lock` cannot be stored'
    ],
    [
      'learned',
      { state: ['file log.txt'], learned: true },
      '`read` reads `file log.txt` from `make`: learned, seen while the steps ran, not in their code'
    ],
    [
      'learned',
      { learned: true },
      '`read` waits for `make`: learned, seen while the steps ran, not in their code'
    ],
    ['explicit', { explicit: true }, '`read` waits for `make`']
  ])('%s %j', (kind, change, sentence) => {
    expect(edgeKind(edge(change))).toBe(kind);
    expect(edgeSentence(trans, edge(change), UNIT)).toBe(sentence);
  });
});

it('a step of a unit is told with the others and what they share', () => {
  expect(unitSentence(trans, UNIT, 'read')).toBe(
    'Runs in one kernel with `make`, `rest`: `rows`, `lock` cannot be stored'
  );
});

describe('the inputs of a step', () => {
  const step = { name: 'read', inputs: [{ name: 'x', step: 'make' }] } as Step;

  it('are what its code reads, and what was seen', () => {
    const edges = [
      edge({ names: ['x'], state: ['file a.csv'] }),
      edge({ source: 'clean', learned: true }),
      edge({ source: 'first', target: 'make', state: ['file b.csv'], learned: true })
    ];
    expect(inputsOf(step, edges)).toEqual([
      { name: 'x', step: 'make', learned: false },
      { name: 'file a.csv', step: 'make', learned: true },
      { name: '', step: 'clean', learned: true }
    ]);
  });

  it('are learned where the edge is', () => {
    expect(inputsOf(step, [edge({ names: ['x'], learned: true })])).toEqual([
      { name: 'x', step: 'make', learned: true }
    ]);
  });

  it('are not a kernel alone, which is told elsewhere', () => {
    expect(inputsOf({ ...step, inputs: [] }, [edge({ learned: true, kernel: true })])).toEqual([]);
  });
});

it('values are verdicts with a summary where there is one', () => {
  const rows = verdict('rows', { carriable: false, kept: false, message: 'It cannot.' });
  const outputs = [{ ...verdict('x'), digest: 'd', summary: '3 items' }];
  const stepRun = { outputs, verdicts: [rows, verdict('x')] } as unknown as StepRun;
  expect(valuesOf(stepRun)).toEqual(
    new Map([
      ['rows', { ...rows, summary: '' }],
      ['x', { ...verdict('x'), summary: '3 items' }]
    ])
  );
  expect(valuesOf(null).size).toBe(0);
});

it('says numbers shortly where there is little room', () => {
  const short = (summary: string): string => shortSummary({ summary } as Value);
  expect(['0.8150316734474373', '395 × 3', '29', '1.25', "'0.123456'"].map(short)).toEqual([
    '0.815',
    '395 × 3',
    '29',
    '1.25',
    "'0.123456'"
  ]);
});
