/** Where the steps of a graph, and their groups, are drawn. */
import type { Group } from '../../groups';
import { layOut, linkKey, type Box, type Layered, type Link, type Point } from './layered';

/** Pixels of a frame's width below which there is room for names only. */
const NARROW = 440;
const MAX_WIDTH = 220;
/** Of an icon and the gap before it. */
const ICON_WIDTH = 18;
const MARGIN = 10;

/** How many boxes may stand side by side; fewer choices where laying out takes time. */
const COLUMNS = [2, 3, 4, 5, 6];
const LARGE = 120;
const LARGE_COLUMNS = [3, 6];

/** Where a drawing with more than the names would be smaller than this, the names have to do. */
const READABLE = 0.8;

/** Larger looks coarse, smaller cannot be read: then the graph is larger than its frame. */
const MAX_ZOOM = 1.1;
const MIN_ZOOM = 0.72;
/** All of a graph in one view is worth words that are somewhat smaller. */
const WHOLE_ZOOM = 0.62;

/** Another number of columns must be better by so much: a drawing should not jump while one types. */
const CLEARLY_BETTER = 1.15;

const GROUP_TITLE = 24;
const GROUP_PADDING = 10;

export interface Size {
  width: number;
  height: number;
}

export interface Place extends Point, Size {}

/** Where the graph stands in its frame, and how large. */
export interface View extends Point {
  zoom: number;
}

/** What is to be placed. */
export interface Shape {
  names: readonly string[];
  links: readonly Link[];
  groups: readonly Group[];
  /** Ids of groups of which only the title is drawn. */
  collapsed: ReadonlySet<string>;
  /** Steps with one more icon beside their name. */
  marked: ReadonlySet<string>;
}

export interface Layout extends Size {
  /** Steps that are drawn, by name. */
  steps: Map<string, Place>;
  /** By id; those that are collapsed are as high as a step. */
  groups: Map<string, Place>;
  /** By `linkKey` of the steps that are drawn, or of groups that stand for them. */
  routes: Map<string, Point[]>;
  /** Whether there is room for names only. */
  isCompact: boolean;
  view: View;
  /** Which of the choices was taken. */
  columns: number;
}

/**
 * A place for every step, from top to bottom in the direction of the links.
 *
 * How many boxes stand side by side is chosen so that the graph fits its frame at the largest scale;
 * `columns` is what was chosen the last time, and stays unless another number is clearly better.
 */
export function placeSteps(shape: Shape, frame: Size, columns?: number): Layout {
  const hasRoom = frame.width >= NARROW && shape.names.length <= LARGE;
  const roomy = hasRoom ? bestDrawing(shape, frame, false, columns) : null;
  const { drawing, choice, isCompact } =
    roomy && roomy.scale >= READABLE ? roomy : bestDrawing(shape, frame, true, columns);
  return { ...drawing, isCompact, view: firstView(drawing, frame), columns: choice };
}

/** All of the graph; where that is too small to be read, its beginning, as wide as the frame if it can be. */
function firstView(drawing: Pick<Layout, 'steps' | 'groups'> & Size, frame: Size): View {
  const all = fit(drawing, frame, WHOLE_ZOOM);
  if (drawing.height * all.zoom <= frame.height && drawing.width * all.zoom <= frame.width) {
    return all;
  }
  const view = fit({ ...drawing, height: 0 }, frame, MIN_ZOOM);
  view.zoom = Math.min(1, view.zoom);
  view.x = (frame.width - drawing.width * view.zoom) / 2;
  view.y = 0;
  const seen = [...drawing.steps.values(), ...drawing.groups.values()].filter(
    place => view.y + place.y * view.zoom < frame.height
  );
  const left = Math.min(...seen.map(place => place.x));
  const right = Math.max(...seen.map(place => place.x + place.width));
  return (right - left) * view.zoom < frame.width
    ? { ...view, x: frame.width / 2 - ((left + right) / 2) * view.zoom }
    : view;
}

function bestDrawing(shape: Shape, frame: Size, isCompact: boolean, columns?: number) {
  const choices = shape.names.length > LARGE ? LARGE_COLUMNS : COLUMNS;
  const sizes = new Map(shape.names.map(name => [name, boxSize(name, isCompact, shape.marked)]));
  const drawings = choices.map(choice => draw(shape, choice, sizes, isCompact));
  const scales = drawings.map(({ width, height }) =>
    Math.min(MAX_ZOOM, frame.width / width, frame.height / height)
  );
  // What is too high to be read as a whole is seen piece by piece: downwards, rather than to all sides.
  const merits = drawings.map(
    ({ width }, at) => scales[at] * Math.min(1, frame.width / width / MIN_ZOOM) ** 2
  );
  let best = merits.indexOf(Math.max(...merits));
  const last = choices.indexOf(columns ?? -1);
  if (last >= 0 && merits[best] < merits[last] * CLEARLY_BETTER) {
    best = last;
  }
  return { drawing: drawings[best], scale: scales[best], choice: choices[best], isCompact };
}

/** The view that shows as much as possible of a graph, but not smaller than `minZoom`. */
export function fit({ width, height }: Size, frame: Size, minZoom: number): View {
  const scale = Math.min(frame.width / width, frame.height / height);
  const zoom = Math.min(MAX_ZOOM, Math.max(minZoom, scale));
  return {
    x: (frame.width - width * zoom) / 2,
    y: Math.max(0, (frame.height - height * zoom) / 2),
    zoom
  };
}

/** The step, or the collapsed group, that a step is drawn as. */
export function shownAs(shape: Pick<Shape, 'groups' | 'collapsed'>): (name: string) => string {
  const owner = new Map<string, string>();
  for (const { id, steps } of shape.groups) {
    if (shape.collapsed.has(id)) {
      steps.forEach(name => owner.set(name, groupKey(id)));
    }
  }
  return name => owner.get(name) ?? name;
}

/** The id of a group among those of steps, with which it shares no name. */
export function groupKey(id: string): string {
  return `# ${id}`;
}

type Drawing = Omit<Layout, 'isCompact' | 'view' | 'columns'>;

/** Every group by itself first, then the groups and the steps outside of them as boxes. */
function draw(
  shape: Shape,
  columns: number,
  sizes: ReadonlyMap<string, Size>,
  isCompact: boolean
): Drawing {
  const gaps = isCompact ? { x: 10, y: 30 } : { x: 18, y: 36 };
  const { height } = boxSize('', isCompact, new Set());
  const boxOf = (name: string): Box => ({ id: name, ...sizes.get(name)! });
  const inner = new Map<string, Layered>();
  const groupBoxes = new Map<string, Box>();
  const owner = new Map<string, string>();
  for (const { id, title, steps } of shape.groups) {
    const key = groupKey(id);
    steps.forEach(name => owner.set(name, key));
    const titleWidth = Math.ceil(textWidth(title)) + 84;
    if (shape.collapsed.has(id)) {
      groupBoxes.set(key, { id: key, width: Math.min(MAX_WIDTH + 60, titleWidth), height });
    } else {
      const layered = layOut(steps.map(boxOf), shape.links, columns, gaps);
      inner.set(key, layered);
      const width = Math.max(layered.width, Math.min(MAX_WIDTH, titleWidth));
      groupBoxes.set(key, {
        id: key,
        width: width + 2 * GROUP_PADDING,
        height: layered.height + GROUP_TITLE + 2 * GROUP_PADDING
      });
    }
  }
  const keys = [...new Set(shape.names.map(name => owner.get(name) ?? name))];
  const boxes = keys.map(key => groupBoxes.get(key) ?? boxOf(key));
  const outerLinks = uniqueLinks(
    shape.links.map(({ source, target }) => ({
      source: owner.get(source) ?? source,
      target: owner.get(target) ?? target
    }))
  );
  // Groups that are open are wide already.
  const outer = layOut(boxes, outerLinks, inner.size > 0 ? Math.min(2, columns) : columns, gaps);

  const steps = new Map<string, Place>();
  const groups = new Map<string, Place>();
  const routes = new Map<string, Point[]>();
  for (const box of boxes) {
    const corner = shifted(outer.places.get(box.id)!, MARGIN, MARGIN);
    const place = { ...corner, width: box.width, height: box.height };
    if (!groupBoxes.has(box.id)) {
      steps.set(box.id, place);
      continue;
    }
    groups.set(box.id.slice(groupKey('').length), place);
    const layered = inner.get(box.id);
    if (layered) {
      const left = corner.x + (box.width - layered.width) / 2;
      const top = corner.y + GROUP_TITLE + GROUP_PADDING;
      for (const [name, point] of layered.places) {
        steps.set(name, { ...shifted(point, left, top), ...sizes.get(name)! });
      }
      for (const [key, points] of layered.bends) {
        routes.set(
          key,
          points.map(point => shifted(point, left, top))
        );
      }
    }
  }
  for (const link of shape.links) {
    const [source, target] = [link.source, link.target].map(name => owner.get(name) ?? name);
    const shown = [link.source, link.target].map(shownAs(shape));
    const bends = outer.bends.get(linkKey({ source, target }));
    if (source !== target && bends) {
      routes.set(
        linkKey({ source: shown[0], target: shown[1] }),
        bends.map(point => shifted(point, MARGIN, MARGIN))
      );
    }
  }
  return {
    steps,
    groups,
    routes,
    width: outer.width + 2 * MARGIN,
    height: outer.height + 2 * MARGIN
  };
}

function shifted({ x, y }: Point, right: number, down: number): Point {
  return { x: x + right, y: y + down };
}

function uniqueLinks(links: readonly Link[]): Link[] {
  const unique = new Map(links.map(link => [linkKey(link), link]));
  return [...unique.values()].filter(({ source, target }) => source !== target);
}

function boxSize(name: string, isCompact: boolean, marked: ReadonlySet<string>): Size {
  // Beside the name stand the icons and the padding.
  const extra = (isCompact ? 42 : 52) + (marked.has(name) ? ICON_WIDTH : 0);
  const wanted = Math.ceil(textWidth(name)) + extra;
  return {
    width: Math.min(MAX_WIDTH, Math.max(isCompact ? 64 : 130, wanted)),
    height: isCompact ? 30 : 44
  };
}

let canvas: CanvasRenderingContext2D | null | undefined;

/** Pixels of a name as the style sheet writes it. */
function textWidth(text: string): number {
  if (canvas === undefined) {
    canvas = document.createElement('canvas').getContext('2d');
    const family = getComputedStyle(document.body).getPropertyValue('--jp-ui-font-family');
    if (canvas) {
      canvas.font = `600 13px ${family || 'sans-serif'}`;
    }
  }
  return canvas ? canvas.measureText(text).width : text.length * 8;
}
