/** What a step has written, as a terminal would show it. */
import type { LogPiece } from './tokens';

export type LogPart = { kind: 'text'; text: string } | ProgressLine;

/** A progress bar, as tqdm and others write it. */
export interface ProgressLine {
  kind: 'progress';
  /** What stands before the bar. */
  label: string;
  /** 0 to 100. */
  percent: number;
  /** What stands after it, such as counts and times. */
  note: string;
}

/** How many lines are shown; the last ones matter. */
export const MOST_LINES = 1000;

/** Before anything was fetched. */
export const NO_LOG: LogPiece = { log: '', start: 0, end: 0 };

/** The part that follows what is known, put to it; of more than `most` characters, the last lines. */
export function followLog(known: LogPiece, part: LogPiece, most: number): LogPiece {
  const isNext = part.start === known.end;
  const log = isNext ? known.log + part.log : part.log;
  const start = isNext ? known.start : part.start;
  if (log.length <= most && (isNext || start === 0)) {
    return { log, start, end: part.end };
  }
  // Where it was cut, a piece of a line is left, or of what a bar has written over it.
  const cut = Math.max(0, log.length - most);
  const rest = log.slice(cut).search(/[\r\n]/) + 1;
  const from = cut + (cut + rest < log.length ? rest : 0);
  return { log: log.slice(from), start: Math.max(start, 1), end: part.end };
}

const UP = /\u001b\[(\d*)A/g;
const ANSI = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
const BAR = /^(.*?)\s*(\d{1,3})(?:\.\d+)?%\s*[|[](?:[^|\]]*)[|\]]\s*(.*)$/;

/** Text without the escape sequences by which terminals are coloured. */
export function withoutAnsi(text: string): string {
  return text.replace(ANSI, '');
}

/**
 * The last lines of a log; of a line that was written over, what stood there at the end. Lines of text
 * that follow each other are one text.
 */
export function readLog(text: string): LogPart[] {
  const shown = linesOf(text).slice(-MOST_LINES).map(readLine);
  const parts: LogPart[] = [];
  for (const line of shown) {
    const last = parts.at(-1);
    if (line.kind === 'text' && last?.kind === 'text') {
      last.text += `\n${line.text}`;
    } else if (line.kind === 'progress' && last?.kind === 'progress' && isLater(line, last)) {
      // Bars that were drawn below each other, again and again, are one bar.
      parts[parts.length - 1] = line;
    } else {
      parts.push(line);
    }
  }
  return parts;
}

/** What is left standing in each line when all is written: bars go back in their line, or up to it. */
function linesOf(text: string): string[] {
  const lines: string[] = [''];
  let at = 0;
  for (const [index, written] of text.split('\n').entries()) {
    at += index > 0 ? 1 : 0;
    let from = 0;
    for (const up of written.matchAll(UP)) {
      write(written.slice(from, up.index));
      at = Math.max(0, at - Number(up[1] || 1));
      from = up.index + up[0].length;
    }
    write(written.slice(from));
  }
  if (lines.at(-1) === '') {
    lines.pop();
  }
  return lines;

  function write(piece: string): void {
    const last = withoutAnsi(piece)
      .split('\r')
      .findLast(part => part.trim() !== '');
    while (lines.length <= at) {
      lines.push('');
    }
    lines[at] = last ?? lines[at];
  }
}

/** Whether a bar is the same as another, at a later time. */
function isLater(line: ProgressLine, other: ProgressLine): boolean {
  return line.label === other.label && line.percent >= other.percent && other.percent < 100;
}

function readLine(text: string): LogPart {
  const bar = BAR.exec(text);
  if (bar && Number(bar[2]) <= 100) {
    const [, label, percent, note] = bar;
    return { kind: 'progress', label: label.replace(/:$/, ''), percent: Number(percent), note };
  }
  return { kind: 'text', text };
}
