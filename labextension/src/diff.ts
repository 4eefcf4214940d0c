/** What changed from one text to another, line by line. */

export interface DiffLine {
  kind: 'same' | 'added' | 'removed' | 'gap';
  text: string;
}

/** Unchanged lines that are shown around a change. */
const CONTEXT = 3;
/** Above this many pairs of lines a block is told as replaced, whole. */
const MOST_PAIRS = 4_000_000;

/** The lines of both texts; long stretches that are the same are left out. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [old, now] = [before, after].map(text => (text === '' ? [] : text.split('\n')));
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) {
    head += 1;
  }
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old.at(-1 - tail) === now.at(-1 - tail)
  ) {
    tail += 1;
  }
  const same = (text: string): DiffLine => ({ kind: 'same', text });
  const middle = diffMiddle(old.slice(head, old.length - tail), now.slice(head, now.length - tail));
  return withoutLongStretches([
    ...old.slice(0, head).map(same),
    ...middle,
    ...old.slice(old.length - tail).map(same)
  ]);
}

/** Longest common subsequence, by dynamic programming: code of a step is short. */
function diffMiddle(old: string[], now: string[]): DiffLine[] {
  if (old.length * now.length > MOST_PAIRS) {
    return [...old.map(removed), ...now.map(added)];
  }
  const width = now.length + 1;
  const lengths = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        old[i] === now[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ kind: 'same', text: old[i] });
      i += 1;
      j += 1;
    } else if (
      j >= now.length ||
      (i < old.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])
    ) {
      lines.push(removed(old[i]));
      i += 1;
    } else {
      lines.push(added(now[j]));
      j += 1;
    }
  }
  return lines;
}

function added(text: string): DiffLine {
  return { kind: 'added', text };
}

function removed(text: string): DiffLine {
  return { kind: 'removed', text };
}

function withoutLongStretches(lines: DiffLine[]): DiffLine[] {
  const isNear = lines.map((_, at) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ kind }) => kind !== 'same')
  );
  const shown: DiffLine[] = [];
  lines.forEach((line, at) => {
    if (isNear[at]) {
      shown.push(line);
    } else if (shown.at(-1)?.kind !== 'gap') {
      shown.push({ kind: 'gap', text: '' });
    }
  });
  return shown.every(({ kind }) => kind === 'gap') ? [] : shown;
}
