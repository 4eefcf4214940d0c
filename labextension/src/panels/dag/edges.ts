/** The lines of the drawing: which there are between the boxes that are shown, and their course. */
import { edgeKind, type EdgeKind } from '../../state';
import type { Edge } from '../../tokens';
import { linkKey, type Point } from './layered';
import type { Place } from './layout';

/** With more names than these an edge says how many others there are. */
const MANY_NAMES = 3;

/** One line; several edges where a group is drawn as one box. */
export interface Line {
  key: string;
  source: string;
  target: string;
  edges: Edge[];
}

/** The lines between boxes; `shownAs` tells the box that stands for a step. */
export function linesOf(edges: readonly Edge[], shownAs: (name: string) => string): Line[] {
  const lines = new Map<string, Line>();
  for (const edge of edges) {
    const [source, target] = [shownAs(edge.source), shownAs(edge.target)];
    if (source !== target) {
      const key = linkKey({ source, target });
      const line = lines.get(key) ?? { key, source, target, edges: [] };
      line.edges.push(edge);
      lines.set(key, line);
    }
  }
  return [...lines.values()];
}

/** What a line stands for above all. */
export function lineKind({ edges }: Line): EdgeKind {
  const kinds = new Set(edges.map(edgeKind));
  return kinds.size === 1 ? edgeKind(edges[0]) : 'reads';
}

/**
 * The names that cross a line, each in a line of text; `sizeOf` says how large the value was.
 *
 * Where `isBrief`, there is room for one line of text: of several names it tells no sizes.
 */
export function lineLabel(
  { edges }: Line,
  sizeOf: (step: string, name: string) => string,
  isBrief: boolean
): string {
  const crossing = edges.map(edge => (edge.names.length > 0 ? edge.names : edge.state));
  const isShort = isBrief && new Set(crossing.flat()).size > 1;
  const names = new Map<string, string>();
  for (const [at, edge] of edges.entries()) {
    for (const name of crossing[at]) {
      const size = isShort ? '' : sizeOf(edge.source, name);
      names.set(name, size ? `${name} ${size}` : name);
    }
  }
  const others = names.size - MANY_NAMES;
  const shown = [...names.values()].slice(0, MANY_NAMES);
  return [...shown, ...(others > 0 ? [`+${others}`] : [])].join(isShort ? ', ' : '\n');
}

/** The course of a line, from the lower edge of a box to the upper edge of another. */
export function linePath(source: Place, target: Place, bends: readonly Point[]): string {
  const points = [
    { x: source.x + source.width / 2, y: source.y + source.height },
    ...bends,
    { x: target.x + target.width / 2, y: target.y - 4 }
  ];
  const [start, ...rest] = points;
  let path = `M${round(start.x)} ${round(start.y)}`;
  rest.forEach((point, at) => {
    const before = points[at];
    const middle = round((before.y + point.y) / 2);
    path += `C${round(before.x)} ${middle} ${round(point.x)} ${middle} ${round(point.x)} ${round(point.y)}`;
  });
  return path;
}

/** Where the names of a line are written: between two lines of boxes, before the last of them. */
export function labelPoint(source: Place, target: Place, bends: readonly Point[]): Point {
  const start = bends.at(-1) ?? {
    x: source.x + source.width / 2,
    y: source.y + source.height
  };
  const end = { x: target.x + target.width / 2, y: target.y };
  // A bend is at the height of a box's middle, whose lower half the names shall not cover.
  const top = bends.length > 0 ? start.y + target.height / 2 : start.y;
  return { x: (start.x + end.x) / 2, y: (top + end.y) / 2 };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
