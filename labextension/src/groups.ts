/** Groups of steps by the headings of the notebook, and the text that stands above a step. */
import type { NotebookContent, Step } from './tokens';

/** Steps under one heading. */
export interface Group {
  /** Stable while the notebook is edited: the heading, and which of those with its text it is. */
  id: string;
  title: string;
  steps: string[];
}

interface Heading {
  level: number;
  text: string;
}

const HEADING = /^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$/gm;
const FENCED = /^(```|~~~)[^]*?^\1/gm;

/** The headings of a markdown text, without inline markup. */
export function headingsOf(markdown: string): Heading[] {
  return Array.from(markdown.replace(FENCED, '').matchAll(HEADING), ([, marks, text]) => ({
    level: marks.length,
    text: text
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[*`]|(?<!\w)_+|_+(?!\w)|<[^>]+>/g, '')
      .trim()
  })).filter(({ text }) => text !== '');
}

/**
 * The steps by the headings they stand under.
 *
 * Of the levels of headings the highest is taken that divides the steps, so a title of the whole
 * notebook makes no group. A notebook whose headings divide nothing has no groups.
 */
export function groupSteps(content: NotebookContent, steps: readonly Step[]): Group[] {
  const paths = headingPaths(content);
  for (let level = 1; level <= 6; level++) {
    const groups = new Map<string, Group>();
    for (const step of steps) {
      const heading = paths[step.cells[0]]?.findLast(found => found.level <= level);
      if (heading) {
        const group = groups.get(heading.id);
        if (group) {
          group.steps.push(step.name);
        } else {
          groups.set(heading.id, { id: heading.id, title: heading.text, steps: [step.name] });
        }
      }
    }
    const found = [...groups.values()];
    if (found.length > 1 && found.length < steps.length) {
      return found.filter(group => group.steps.length > 1);
    }
  }
  return [];
}

/** For each cell the headings above it, from the outermost to the nearest. */
function headingPaths(content: NotebookContent): (Heading & { id: string })[][] {
  const seen = new Map<string, number>();
  let path: (Heading & { id: string })[] = [];
  return content.cells.map(cell => {
    if (cell.cell_type === 'markdown') {
      for (const heading of headingsOf(sourceOf(cell))) {
        const count = (seen.get(heading.text) ?? 0) + 1;
        seen.set(heading.text, count);
        const id = `${heading.text} ${count}`;
        path = [...path.filter(({ level }) => level < heading.level), { ...heading, id }];
      }
    }
    return path;
  });
}

/** The markdown right above the first cell of a step. */
export function textAbove(content: NotebookContent, step: Step): string {
  const texts: string[] = [];
  for (let index = step.cells[0] - 1; index >= 0; index--) {
    const cell = content.cells[index];
    if (cell?.cell_type !== 'markdown') {
      break;
    }
    texts.unshift(sourceOf(cell));
  }
  return texts.join('\n\n');
}

/** The text of a cell, whichever way it is written. */
export function sourceOf(cell: { [key: string]: unknown }): string {
  const { source } = cell;
  return Array.isArray(source) ? source.join('') : typeof source === 'string' ? source : '';
}
