/** Where the steps of a graph are drawn. */
import { Graph, layout } from '@dagrejs/dagre';

import type { Edge } from '../../tokens';

export const NODE_HEIGHT = 44;

/** Pixels of one letter of a step's name, and of what stands beside it. */
const LETTER_WIDTH = 7.2;
const SURROUNDINGS_WIDTH = 52;
const MIN_WIDTH = 104;
const MAX_WIDTH = 210;

export interface Place {
  /** Of the upper left corner. */
  x: number;
  y: number;
  width: number;
}

/** A place for every step, from top to bottom in the direction of the edges. */
export function placeSteps(names: readonly string[], edges: readonly Edge[]): Map<string, Place> {
  const graph = new Graph();
  graph.setGraph({ rankdir: 'TB', nodesep: 18, ranksep: 34, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of names) {
    graph.setNode(name, { width: nodeWidth(name), height: NODE_HEIGHT });
  }
  for (const { source, target } of edges) {
    if (graph.hasNode(source) && graph.hasNode(target)) {
      graph.setEdge(source, target);
    }
  }
  layout(graph);
  const places = new Map<string, Place>();
  for (const name of names) {
    // dagre answers with the middle of a node.
    const { x, y, width } = graph.node(name) as Place;
    places.set(name, { x: x - width / 2, y: y - NODE_HEIGHT / 2, width });
  }
  return places;
}

function nodeWidth(name: string): number {
  const wanted = SURROUNDINGS_WIDTH + LETTER_WIDTH * name.length;
  return Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, wanted));
}
