import { describe, expect, it } from 'vitest';

import { nextBox } from '../../labextension/src/panels/dag/keys';
import { assignLines, layOut, type Link } from '../../labextension/src/panels/dag/layered';
import {
  fit,
  groupKey,
  placeSteps,
  type Place,
  type Shape
} from '../../labextension/src/panels/dag/layout';

function links(...pairs: string[]): Link[] {
  return pairs.map(pair => {
    const [source, target] = pair.split('>');
    return { source, target };
  });
}

const FAN = {
  names: ['load', 'a', 'b', 'c', 'd', 'e'],
  links: links('load>a', 'load>b', 'load>c', 'load>d', 'd>e')
};

function shape(change: Partial<Shape> = {}): Shape {
  return { ...FAN, groups: [], collapsed: new Set(), marked: new Set(), ...change };
}

/** A graph that looks random and is the same each time: each step reads some of those before it. */
function large(count: number): Pick<Shape, 'names' | 'links'> {
  const names = Array.from({ length: count }, (_, at) => `step_${at}`);
  const found = names.flatMap((target, at) =>
    [7, 11, 13]
      .filter((prime, kind) => at > 0 && (at * prime) % (kind + 2) === 0)
      .map(prime => ({ source: names[Math.max(0, at - 1 - ((at * prime) % 9))], target }))
  );
  return { names, links: found };
}

function overlap(one: Place, other: Place): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

function expectApart(places: Iterable<Place>): void {
  const boxes = [...places];
  boxes.forEach((one, at) => {
    for (const other of boxes.slice(at + 1)) {
      expect(overlap(one, other)).toBe(false);
    }
  });
}

describe('lines', () => {
  it.each([1, 2, 3, 6])('hold at most %d steps, each below what it needs', columns => {
    const lines = assignLines(FAN.names, FAN.links, columns);
    const sizes = new Map<number, number>();
    for (const line of lines.values()) {
      sizes.set(line, (sizes.get(line) ?? 0) + 1);
    }
    expect(lines.size).toBe(FAN.names.length);
    expect(Math.max(...sizes.values())).toBeLessThanOrEqual(columns);
    for (const { source, target } of FAN.links) {
      expect(lines.get(source)).toBeLessThan(lines.get(target)!);
    }
  });

  it('let the longest way go first', () => {
    expect(assignLines(FAN.names, FAN.links, 1).get('d')).toBe(1);
  });

  it('end even for a cycle, and for links to nobody', () => {
    expect(assignLines(['a', 'b', 'c'], links('a>b', 'b>a'), 2).size).toBe(3);
    const boxes = ['a', 'b'].map(id => ({ id, width: 10, height: 10 }));
    expect(layOut(boxes, links('a>b', 'b>a', 'a>x'), 2, { x: 1, y: 1 }).places.size).toBe(2);
    expect(layOut([], [], 2, { x: 1, y: 1 })).toMatchObject({ width: 0, height: 0 });
  });
});

describe.each([
  ['narrow', { width: 260, height: 300 }],
  ['wide', { width: 900, height: 700 }]
])('a %s frame', (_, frame) => {
  it('has a place for every step, and no two on each other', () => {
    for (const graph of [FAN, large(40), large(130)]) {
      const { steps } = placeSteps(shape(graph), frame);
      expect(new Set(steps.keys())).toEqual(new Set(graph.names));
      expectApart(steps.values());
    }
  });

  it('has room for one more icon where a step is marked', () => {
    const long = 'a_rather_long_name';
    const [narrower, wider] = [new Set<string>(), new Set([long])].map(
      marked => placeSteps(shape({ names: [long], marked }), frame).steps.get(long)!.width
    );
    expect(wider).toBeGreaterThan(narrower);
  });

  it('shows links that point downwards', () => {
    const { steps } = placeSteps(shape(), frame);
    for (const { source, target } of FAN.links) {
      expect(steps.get(source)!.y).toBeLessThan(steps.get(target)!.y);
    }
  });

  it('draws groups around their steps, and one box where a group is closed', () => {
    const groups = [
      { id: 'one', title: 'One', steps: ['load', 'a', 'b'] },
      { id: 'two', title: 'Two', steps: ['d', 'e'] }
    ];
    const drawn = placeSteps(shape({ groups, collapsed: new Set(['two']) }), frame);
    expect(new Set(drawn.steps.keys())).toEqual(new Set(['load', 'a', 'b', 'c']));
    expectApart([drawn.steps.get('c')!, ...drawn.groups.values()]);
    const around = drawn.groups.get('one')!;
    for (const name of groups[0].steps) {
      const step = drawn.steps.get(name)!;
      expect(step.x).toBeGreaterThanOrEqual(around.x);
      expect(step.y).toBeGreaterThan(around.y);
      expect(step.x + step.width).toBeLessThanOrEqual(around.x + around.width);
      expect(step.y + step.height).toBeLessThanOrEqual(around.y + around.height);
    }
    expect(groupKey('two')).not.toBe('two');
  });
});

describe('a drawing', () => {
  it('of 300 steps is laid out in much less than a second', () => {
    const start = performance.now();
    placeSteps(shape(large(300)), { width: 420, height: 400 });
    expect(performance.now() - start).toBeLessThan(700);
  });

  it('stays as it is where a link is added that leads the same way', () => {
    const frame = { width: 400, height: 300 };
    const before = placeSteps(shape(), frame);
    const more = shape({ links: [...FAN.links, ...links('load>e')] });
    const after = placeSteps(more, frame, before.columns);
    const order = (steps: ReadonlyMap<string, Place>): string[] =>
      [...FAN.names].sort((one, other) => {
        const [first, second] = [steps.get(one)!, steps.get(other)!];
        return first.y - second.y || first.x - second.x;
      });
    expect(order(after.steps)).toEqual(order(before.steps));
    expect(after.columns).toBe(before.columns);
  });

  it('fits its frame, or shows its beginning at a size that can be read', () => {
    const frame = { width: 400, height: 300 };
    expect(fit({ width: 800, height: 300 }, frame, 0.1)).toEqual({ x: 0, y: 75, zoom: 0.5 });
    const { view } = placeSteps(shape(large(300)), frame);
    expect(view.y).toBe(0);
    expect(view.zoom).toBeGreaterThan(0.7);
  });
});

describe('arrow keys', () => {
  const { steps } = placeSteps(shape(), { width: 900, height: 700 });

  it('lead along the links first', () => {
    expect(nextBox('d', 'ArrowUp', steps, FAN.links)).toBe('load');
    expect(nextBox('d', 'ArrowDown', steps, FAN.links)).toBe('e');
  });

  it('lead sideways to the neighbour, and nowhere at the edge', () => {
    const line = ['a', 'b', 'c', 'd'].filter(name => steps.get(name)!.y === steps.get('d')!.y);
    line.sort((one, other) => steps.get(one)!.x - steps.get(other)!.x);
    expect(nextBox(line[0], 'ArrowRight', steps, FAN.links)).toBe(line[1]);
    expect(nextBox(line[1], 'ArrowLeft', steps, FAN.links)).toBe(line[0]);
    expect(nextBox('load', 'ArrowUp', steps, FAN.links)).toBeNull();
  });
});
