/**
 * Layered drawing of a directed graph, from top to bottom (Sugiyama, Tagawa, Toda 1981).
 *
 * Four steps: a line for each box, an order on each line that crosses few links, x from the least
 * movement that keeps that order, y from the heights. Everything is decided by the order of the
 * boxes, so that a small change of the graph is a small change of the drawing.
 */

export interface Box {
  id: string;
  width: number;
  height: number;
}

export interface Link {
  source: string;
  target: string;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layered {
  /** Upper left corners, by id. */
  places: Map<string, Point>;
  /** The bends of links that pass lines on their way, by `linkKey`, from top to bottom. */
  bends: Map<string, Point[]>;
  width: number;
  height: number;
}

export interface Gaps {
  x: number;
  y: number;
}

/** How often the order of the lines, and the places on them, are looked through. */
const SWEEPS = 8;
/** Room for a link that passes a line. */
const PASSING_WIDTH = 6;
/** With more such places than these the longest links go straight, behind the boxes. */
const MOST_PASSED = 1200;
/** Links that pass lines are kept straight before anything else. */
const PASSING_WEIGHT = 4;

/** A box, or the place where a link passes a line. */
interface Slot {
  id: string;
  width: number;
  height: number;
  weight: number;
  above: Slot[];
  below: Slot[];
  /** Place on its line, then the middle of it in pixels. */
  order: number;
  x: number;
}

export function linkKey({ source, target }: Link): string {
  return `${source} → ${target}`;
}

/** Places for `boxes`, of which at most `columns` stand side by side. */
export function layOut(
  boxes: readonly Box[],
  links: readonly Link[],
  columns: number,
  gaps: Gaps
): Layered {
  const known = new Set(boxes.map(box => box.id));
  const inner = links.filter(({ source, target }) => known.has(source) && known.has(target));
  const lineOf = assignLines(
    boxes.map(box => box.id),
    inner,
    columns
  );
  const { lines, passing } = makeLines(boxes, inner, lineOf);
  orderLines(lines);
  placeOnLines(lines, gaps.x);

  const left = Math.min(...lines.flat().map(slot => slot.x - slot.width / 2));
  const right = Math.max(...lines.flat().map(slot => slot.x + slot.width / 2));
  const tops: number[] = [];
  const heights = lines.map(line => Math.max(0, ...line.map(slot => slot.height)));
  let top = 0;
  for (const height of heights) {
    tops.push(top);
    top += height + gaps.y;
  }
  const places = new Map<string, Point>();
  for (const slot of lines.flat()) {
    if (known.has(slot.id)) {
      const line = lineOf.get(slot.id)!;
      const y = tops[line] + (heights[line] - slot.height) / 2;
      places.set(slot.id, { x: slot.x - slot.width / 2 - left, y });
    }
  }
  const bends = new Map<string, Point[]>();
  for (const [key, { first, slots }] of passing) {
    bends.set(
      key,
      slots.map((slot, at) => ({
        x: slot.x - left,
        y: tops[first + at] + heights[first + at] / 2
      }))
    );
  }
  return {
    places,
    bends,
    width: lines.length > 0 ? right - left : 0,
    height: Math.max(0, top - gaps.y)
  };
}

/**
 * The line of each box: below all that it needs, and at most `columns` boxes on one. Where there
 * are more, those go first from which the longest way leads on.
 */
export function assignLines(
  names: readonly string[],
  links: readonly Link[],
  columns: number
): Map<string, number> {
  const heights = heightsOf(names, links);
  const above = neighbours(names, links, 'target');
  const lines = new Map<string, number>();
  let waiting = [...names];
  for (let line = 0; waiting.length > 0; line++) {
    const ready = waiting.filter(name =>
      above.get(name)!.every(source => (lines.get(source) ?? line) < line)
    );
    ready.sort((one, other) => heights.get(other)! - heights.get(one)!);
    if (ready.length === 0) {
      // A cycle: the server refuses it, but a drawing must end all the same.
      ready.push(waiting[0]);
    }
    for (const name of ready.slice(0, columns)) {
      lines.set(name, line);
    }
    waiting = waiting.filter(name => !lines.has(name));
  }
  return lines;
}

/** How many boxes lie below each on the longest way; `names` are in an order of execution. */
function heightsOf(names: readonly string[], links: readonly Link[]): Map<string, number> {
  const below = neighbours(names, links, 'source');
  const found = new Map<string, number>();
  for (const name of [...names].reverse()) {
    const heights = below.get(name)!.map(target => found.get(target) ?? 0);
    found.set(name, Math.max(-1, ...heights) + 1);
  }
  return found;
}

/** The other ends of the links of which each name is the `end`. */
function neighbours(
  names: readonly string[],
  links: readonly Link[],
  end: 'source' | 'target'
): Map<string, string[]> {
  const found = new Map(names.map(name => [name, [] as string[]]));
  for (const link of links) {
    if (link.source !== link.target) {
      found.get(link[end])?.push(end === 'source' ? link.target : link.source);
    }
  }
  return found;
}

interface Passing {
  /** The line of the first of them. */
  first: number;
  slots: Slot[];
}

function makeLines(
  boxes: readonly Box[],
  links: readonly Link[],
  lineOf: ReadonlyMap<string, number>
): { lines: Slot[][]; passing: Map<string, Passing> } {
  const count = Math.max(-1, ...lineOf.values()) + 1;
  const lines: Slot[][] = Array.from({ length: count }, () => []);
  const slots = new Map<string, Slot>();
  const add = (box: Box, line: number, weight: number): Slot => {
    const slot = { ...box, weight, above: [], below: [], order: lines[line].length, x: 0 };
    lines[line].push(slot);
    return slot;
  };
  for (const box of boxes) {
    slots.set(box.id, add(box, lineOf.get(box.id)!, 1));
  }
  const passing = new Map<string, Passing>();
  const spanOf = ({ source, target }: Link): number => lineOf.get(target)! - lineOf.get(source)!;
  let room = MOST_PASSED;
  const shortestFirst = [...links].sort((one, other) => spanOf(one) - spanOf(other));
  for (const link of shortestFirst) {
    const first = lineOf.get(link.source)! + 1;
    const last = lineOf.get(link.target)!;
    const key = linkKey(link);
    // What goes upwards, in a cycle, or has no room is drawn, but has no say in the places.
    if (last < first || passing.has(key) || last - first > room) {
      continue;
    }
    room -= last - first;
    const way: Slot[] = [];
    for (let line = first; line < last; line++) {
      way.push(add({ id: '', width: PASSING_WIDTH, height: 0 }, line, PASSING_WEIGHT));
    }
    passing.set(key, { first, slots: way });
    const ends = [slots.get(link.source)!, ...way, slots.get(link.target)!];
    ends.slice(1).forEach((slot, at) => {
      ends[at].below.push(slot);
      slot.above.push(ends[at]);
    });
  }
  return { lines, passing };
}

/** Bring every line into the order with the fewest crossings that sweeps by barycentre find. */
function orderLines(lines: Slot[][]): void {
  let fewest = Infinity;
  let best = lines.map(line => [...line]);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const line of isDown ? lines : [...lines].reverse()) {
      const centres = new Map(
        line.map(slot => {
          const near = isDown ? slot.above : slot.below;
          const sum = near.reduce((total, other) => total + other.order, 0);
          return [slot, near.length > 0 ? sum / near.length : slot.order];
        })
      );
      line.sort((one, other) => centres.get(one)! - centres.get(other)!);
      line.forEach((slot, at) => (slot.order = at));
    }
    const crossings = lines.reduce((total, line) => total + crossingsBelow(line), 0);
    if (crossings < fewest) {
      fewest = crossings;
      best = lines.map(line => [...line]);
    }
  }
  best.forEach((line, at) => {
    lines[at] = line;
    line.forEach((slot, order) => (slot.order = order));
  });
}

/** How many pairs of links cross between a line and the next: inversions, counted with a binary indexed tree. */
function crossingsBelow(line: readonly Slot[]): number {
  const ends = line.flatMap(slot =>
    slot.below.map(other => other.order).sort((one, other) => one - other)
  );
  const tree = new Uint32Array(Math.max(0, ...ends) + 2);
  let count = 0;
  ends.forEach((end, seen) => {
    let upTo = 0;
    for (let at = end + 1; at > 0; at -= at & -at) {
      upTo += tree[at];
    }
    count += seen - upTo;
    for (let at = end + 1; at < tree.length; at += at & -at) {
      tree[at] += 1;
    }
  });
  return count;
}

/** Give every slot its x: as near to the middle of its neighbours as the order allows. */
function placeOnLines(lines: readonly Slot[][], gap: number): void {
  for (const line of lines) {
    const wanted = line.map(() => 0);
    spread(line, wanted, gap);
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const line of isDown ? lines : [...lines].reverse()) {
      const isLast = sweep === SWEEPS - 1;
      const wanted = line.map(slot => {
        const near = isLast ? [...slot.above, ...slot.below] : isDown ? slot.above : slot.below;
        const some = near.length > 0 ? near : [...slot.above, ...slot.below];
        return some.length > 0
          ? some.reduce((total, other) => total + other.x, 0) / some.length
          : slot.x;
      });
      spread(line, wanted, gap);
    }
  }
}

/**
 * Put the slots of a line where they are wanted, as far as they have room beside each other.
 *
 * The sum of the weighted squares of the distances is the least possible: taken relative to the
 * places with no room to spare it is isotonic regression, solved by pooling adjacent violators.
 */
function spread(line: readonly Slot[], wanted: readonly number[], gap: number): void {
  const tight: number[] = [];
  line.forEach((slot, at) => {
    const before = line[at - 1];
    tight.push(at === 0 ? 0 : tight[at - 1] + (before.width + slot.width) / 2 + gap);
  });
  const pools: { sum: number; weight: number; count: number }[] = [];
  line.forEach((slot, at) => {
    pools.push({ sum: (wanted[at] - tight[at]) * slot.weight, weight: slot.weight, count: 1 });
    for (let last = pools.length - 1; last > 0; last--) {
      const [one, other] = [pools[last - 1], pools[last]];
      if (one.sum / one.weight <= other.sum / other.weight) {
        break;
      }
      one.sum += other.sum;
      one.weight += other.weight;
      one.count += other.count;
      pools.pop();
    }
  });
  let at = 0;
  for (const { sum, weight, count } of pools) {
    for (let end = at + count; at < end; at++) {
      line[at].x = tight[at] + sum / weight;
    }
  }
}
