/** What a step has written, as a terminal would show it. */

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
const MOST_LINES = 1000;

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
  const lines = withoutAnsi(text).split('\n');
  if (lines.at(-1) === '') {
    lines.pop();
  }
  const shown = lines.slice(-MOST_LINES).map(line => {
    const written = line.split('\r').filter(part => part.trim() !== '');
    return readLine(written.at(-1) ?? '');
  });
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
