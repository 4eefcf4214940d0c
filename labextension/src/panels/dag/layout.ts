/** Where the steps of a graph are drawn. */
import { Graph, layout } from '@dagrejs/dagre';

import type { Edge } from '../../tokens';

/** Pixels of a frame's width below which there is room for names only. */
const NARROW = 440;

/** Above this number of steps a graph is laid out once, not once for each number of columns. */
const LARGE = 60;
const COLUMNS = [2, 3, 4, 5, 6];

const MAX_WIDTH = 220;
/** Of an icon and the gap before it. */
const ICON_WIDTH = 18;

/** Larger looks coarse, smaller cannot be read: then the graph is larger than its frame. */
const MAX_ZOOM = 1.1;
const MIN_ZOOM = 0.3;

export interface Size {
  width: number;
  height: number;
}

export interface Place {
  /** Of the upper left corner. */
  x: number;
  y: number;
  width: number;
}

export interface Layout {
  places: Map<string, Place>;
  /** Whether there is room for names only. */
  isCompact: boolean;
  /** Of every step. */
  nodeHeight: number;
  /** Where the graph stands in its frame, and how large. */
  view: { x: number; y: number; zoom: number };
}

/**
 * A place for every step, from top to bottom in the direction of the edges.
 *
 * How many steps stand side by side is chosen so that the graph fits its frame at the largest scale.
 * `marked` are steps with one more icon beside their name.
 */
export function placeSteps(
  names: readonly string[],
  edges: readonly Edge[],
  frame: Size,
  marked: ReadonlySet<string> = new Set()
): Layout {
  const isCompact = frame.width < NARROW;
  const nodeHeight = isCompact ? 30 : 44;
  const choices = names.length > LARGE ? [COLUMNS.at(-1)!] : COLUMNS;
  const widths = new Map(
    names.map(name => [name, nodeWidth(name, isCompact, marked.has(name) ? ICON_WIDTH : 0)])
  );
  const candidates = choices.map(columns =>
    layOut(names, edges, columns, widths, isCompact, nodeHeight)
  );
  const scales = candidates.map(({ width, height }) =>
    Math.min(frame.width / width, frame.height / height)
  );
  const best = scales.indexOf(Math.max(...scales));
  const { places, width, height } = candidates[best];
  const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, scales[best]));
  return {
    places,
    isCompact,
    nodeHeight,
    view: {
      x: (frame.width - width * zoom) / 2,
      y: Math.max(0, (frame.height - height * zoom) / 2),
      zoom
    }
  };
}

function layOut(
  names: readonly string[],
  edges: readonly Edge[],
  columns: number,
  widths: ReadonlyMap<string, number>,
  isCompact: boolean,
  nodeHeight: number
): Size & { places: Map<string, Place> } {
  const graph = new Graph();
  const [nodesep, ranksep] = isCompact ? [10, 30] : [18, 36];
  graph.setGraph({ rankdir: 'TB', nodesep, ranksep, marginx: 10, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of names) {
    graph.setNode(name, { width: widths.get(name)!, height: nodeHeight });
  }
  const lines = assignLines(names, edges, columns);
  for (const { source, target } of edges) {
    graph.setEdge(source, target, { minlen: lines.get(target)! - lines.get(source)! });
  }
  layout(graph);
  const places = new Map<string, Place>();
  for (const name of names) {
    // dagre answers with the middle of a node.
    const { x, y, width } = graph.node(name) as Place;
    places.set(name, { x: x - width / 2, y: y - nodeHeight / 2, width });
  }
  const { width = 1, height = 1 } = graph.graph() as Partial<Size>;
  return { width, height, places };
}

/**
 * The line of each step: below all that it needs, and at most `columns` steps on one. Where there
 * are more, those go first from which the longest way leads on.
 */
export function assignLines(
  names: readonly string[],
  edges: readonly Edge[],
  columns: number
): Map<string, number> {
  const heights = heightsOf(names, edges);
  const lines = new Map<string, number>();
  for (let line = 0; lines.size < names.length; line++) {
    const ready = names.filter(
      name =>
        !lines.has(name) &&
        edges.every(({ source, target }) => target !== name || (lines.get(source) ?? line) < line)
    );
    ready.sort((one, other) => heights.get(other)! - heights.get(one)!);
    if (ready.length === 0) {
      // A cycle: the server refuses it, but a drawing must end all the same.
      names.filter(name => !lines.has(name)).forEach((name, at) => lines.set(name, line + at));
    }
    for (const name of ready.slice(0, columns)) {
      lines.set(name, line);
    }
  }
  return lines;
}

/** How many steps lie below each step on the longest way; `names` are in an order of execution. */
function heightsOf(names: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of [...names].reverse()) {
    const below = edges.filter(edge => edge.source === name);
    found.set(name, Math.max(-1, ...below.map(edge => found.get(edge.target) ?? 0)) + 1);
  }
  return found;
}

function nodeWidth(name: string, isCompact: boolean, extra: number): number {
  // Beside the name stand the icons and the padding.
  const wanted = Math.ceil(textWidth(name)) + (isCompact ? 42 : 52) + extra;
  return Math.min(MAX_WIDTH, Math.max(isCompact ? 64 : 130, wanted));
}

/** Pixels of a name as the style sheet writes it. */
function textWidth(text: string): number {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) {
    return text.length * 8;
  }
  const family = getComputedStyle(document.body).getPropertyValue('--jp-ui-font-family');
  context.font = `600 13px ${family || 'sans-serif'}`;
  return context.measureText(text).width;
}
