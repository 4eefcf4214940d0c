/** Where the steps of a graph are drawn. */
import { Graph, layout } from '@dagrejs/dagre';

import type { Edge } from '../../tokens';

/** How a graph is drawn: with names and states in a wide frame, closer together in a narrow one. */
export interface Style {
  isCompact: boolean;
  height: number;
  /** How many steps may stand side by side before some go one line further down. */
  columns: number;
}

/** Pixels below which there is no room for more than names. */
const NARROW = 440;

/** Pixels of a step of middling width. */
const COLUMN = 130;

/** What stands beside a name: icon, role, padding. */
const SURROUNDINGS_WIDTH = 52;
const MAX_WIDTH = 220;

export interface Place {
  /** Of the upper left corner. */
  x: number;
  y: number;
  width: number;
}

export function styleFor(frameWidth: number): Style {
  const isCompact = frameWidth < NARROW;
  return {
    isCompact,
    height: isCompact ? 30 : 44,
    columns: Math.max(2, Math.floor(frameWidth / COLUMN))
  };
}

/** A place for every step, from top to bottom in the direction of the edges. */
export function placeSteps(
  names: readonly string[],
  edges: readonly Edge[],
  style: Style
): Map<string, Place> {
  const graph = new Graph();
  const [nodesep, ranksep] = style.isCompact ? [10, 26] : [18, 38];
  graph.setGraph({ rankdir: 'TB', nodesep, ranksep, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of names) {
    graph.setNode(name, { width: nodeWidth(name, style), height: style.height });
  }
  const delays = delayCrowded(names, edges, style.columns);
  for (const { source, target } of edges) {
    graph.setEdge(source, target, { minlen: 1 + (delays.get(target) ?? 0) });
  }
  layout(graph);
  const places = new Map<string, Place>();
  for (const name of names) {
    // dagre answers with the middle of a node.
    const { x, y, width } = graph.node(name) as Place;
    places.set(name, { x: x - width / 2, y: y - style.height / 2, width });
  }
  return places;
}

/**
 * How many lines further down than its inputs ask a step stands, so that no line has more than
 * `columns` steps. Those from which nothing follows make way for the others.
 */
function delayCrowded(
  names: readonly string[],
  edges: readonly Edge[],
  columns: number
): Map<string, number> {
  const sources = new Set(edges.map(edge => edge.source));
  const lines = new Map<number, string[]>();
  for (const [name, depth] of depths(names, edges)) {
    lines.set(depth, [...(lines.get(depth) ?? []), name]);
  }
  const delays = new Map<string, number>();
  for (const line of lines.values()) {
    const inOrder = [
      ...line.filter(name => sources.has(name)),
      ...line.filter(name => !sources.has(name))
    ];
    inOrder.forEach((name, position) => delays.set(name, Math.floor(position / columns)));
  }
  return delays;
}

/** How many steps lie above each step on the longest way; steps come in the order of their names. */
function depths(names: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names) {
    const above = edges.filter(edge => edge.target === name);
    found.set(name, Math.max(-1, ...above.map(edge => found.get(edge.source) ?? 0)) + 1);
  }
  return found;
}

function nodeWidth(name: string, { isCompact }: Style): number {
  const wanted = Math.ceil(textWidth(name)) + SURROUNDINGS_WIDTH;
  return Math.min(MAX_WIDTH, Math.max(isCompact ? 64 : 120, wanted));
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
