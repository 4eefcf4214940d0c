import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { affectedBy, forecast, forecastSentence, neededFor } from '../../labextension/src/forecast';
import type { Decision, Pipeline } from '../../labextension/src/tokens';

const trans = nullTranslator.load('');

/** Steps in a row, each with its decision, and a step beside them that reads of the first. */
function chain(decisions: { [name: string]: Decision }, seconds: number | null = 10): Pipeline {
  const names = Object.keys(decisions);
  return {
    steps: names.map(name => ({
      name,
      decision: decisions[name],
      expected_duration_seconds: seconds
    })),
    edges: names.slice(1).map((target, at) => ({ source: names[at], target })),
    expected_duration_seconds: seconds === null ? null : 12
  } as unknown as Pipeline;
}

function said(pipeline: Pipeline, target?: string, force = false): string {
  return forecastSentence(trans, forecast(pipeline, target, force));
}

describe('what a run would do', () => {
  it('is said for steps that run for certain, and for those that may', () => {
    expect(said(chain({ a: 'reuse', b: 'run', c: 'run' }))).toBe('2 of 3 steps, about 12 s');
    expect(said(chain({ a: 'reuse', b: 'run', c: 'undecided' }))).toBe(
      '1 to 2 of 3 steps, up to about 12 s'
    );
    expect(said(chain({ a: 'reuse', b: 'reuse' }))).toBe('2 steps, all up to date');
    expect(said(chain({ a: 'run' }, null))).toBe('1 of 1 step');
  });

  it('counts only what a step needs', () => {
    const pipeline = chain({ a: 'run', b: 'run', c: 'run' });
    expect(said(pipeline, 'b')).toBe('2 of 2 steps, about 20 s');
    expect(said(chain({ a: 'reuse', b: 'reuse', c: 'run' }), 'b', true)).toBe(
      '1 of 2 steps, about 10 s'
    );
  });
});

describe('lineage', () => {
  it('goes both ways, and ends for cycles', () => {
    const { edges } = chain({ a: 'run', b: 'run', c: 'run' });
    expect([...neededFor('b', edges)].sort()).toEqual(['a', 'b']);
    expect([...affectedBy('b', edges)].sort()).toEqual(['b', 'c']);
    const back = { ...edges[0], source: 'c', target: 'a' };
    expect(neededFor('b', [...edges, back]).size).toBe(3);
  });
});
