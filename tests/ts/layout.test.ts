import { describe, expect, it } from 'vitest';

import { assignLines, placeSteps } from '../../labextension/src/panels/dag/layout';
import type { Edge } from '../../labextension/src/tokens';

function edges(...pairs: string[]): Edge[] {
  return pairs.map(pair => {
    const [source, target] = pair.split('>');
    return { source, target, names: [], state: [], learned: false, explicit: false, kernel: false };
  });
}

const FAN = {
  names: ['load', 'a', 'b', 'c', 'd', 'e'],
  edges: edges('load>a', 'load>b', 'load>c', 'load>d', 'd>e')
};

describe('lines', () => {
  it.each([1, 2, 3, 6])('hold at most %d steps, each below what it needs', columns => {
    const lines = assignLines(FAN.names, FAN.edges, columns);
    const sizes = new Map<number, number>();
    for (const line of lines.values()) {
      sizes.set(line, (sizes.get(line) ?? 0) + 1);
    }
    expect(lines.size).toBe(FAN.names.length);
    expect(Math.max(...sizes.values())).toBeLessThanOrEqual(columns);
    for (const { source, target } of FAN.edges) {
      expect(lines.get(source)).toBeLessThan(lines.get(target)!);
    }
  });

  it('let the longest way go first', () => {
    expect(assignLines(FAN.names, FAN.edges, 1).get('d')).toBe(1);
  });

  it('end even for a cycle', () => {
    expect(assignLines(['a', 'b', 'c'], edges('a>b', 'b>a'), 2).size).toBe(3);
  });
});

describe.each([
  ['narrow', { width: 260, height: 300 }],
  ['wide', { width: 900, height: 700 }]
])('a %s frame', (_, frame) => {
  it('has a place for every step, and no two on each other', () => {
    const { places, nodeHeight } = placeSteps(FAN.names, FAN.edges, frame);
    const boxes = [...places.values()];
    expect([...places.keys()]).toEqual(FAN.names);
    boxes.forEach((one, index) => {
      for (const other of boxes.slice(index + 1)) {
        const isBeside = one.x + one.width <= other.x || other.x + other.width <= one.x;
        const isAbove = one.y + nodeHeight <= other.y || other.y + nodeHeight <= one.y;
        expect(isBeside || isAbove).toBe(true);
      }
    });
  });

  it('has room for one more icon where a step is marked', () => {
    const plain = placeSteps(FAN.names, FAN.edges, frame).places;
    const marked = placeSteps(FAN.names, FAN.edges, frame, new Set(['load'])).places;
    // The names are short: a step is as wide as it must be anyway.
    expect(marked.get('a')!.width).toBe(plain.get('a')!.width);
    const long = 'a_rather_long_name';
    const [narrower, wider] = [new Set<string>(), new Set([long])].map(
      marks => placeSteps([long], [], frame, marks).places.get(long)!.width
    );
    expect(wider).toBeGreaterThan(narrower);
  });

  it('shows edges that point downwards', () => {
    const { places } = placeSteps(FAN.names, FAN.edges, frame);
    for (const { source, target } of FAN.edges) {
      expect(places.get(source)!.y).toBeLessThan(places.get(target)!.y);
    }
  });
});
