/** The columns of a table in the order in which a person looks at them. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Anomaly, ColumnRow, Severity, TableChange } from '../../tokens';

/** What is said of a column: an anomaly, or what a step did to it. */
export interface Verdict {
  severity: Severity | 'change';
  /** A few words. */
  words: string;
  /** A sentence. */
  sentence: string;
}

export interface JudgedRow extends ColumnRow {
  verdicts: Verdict[];
}

/** Shares that differ by less are told as equal. */
const SAME_SHARE = 0.001;

export type Order = 'verdict' | 'table' | 'name' | 'nulls' | 'drift';

export interface Arranged {
  /** Those of which something is said. */
  guilty: JudgedRow[];
  quiet: JudgedRow[];
}

/** The columns that fit `words`, in order; guilty ones stand by themselves when the order is by verdict. */
export function arrange(rows: readonly JudgedRow[], words: string, order: Order): Arranged {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter(row => {
    const text = [row.name, row.type, row.dtype, ...row.verdicts.map(verdict => verdict.words)]
      .join(' ')
      .toLowerCase();
    return wanted.every(word => text.includes(word));
  });
  if (order !== 'verdict') {
    return { guilty: [], quiet: sortBy(found, order) };
  }
  return {
    guilty: found.filter(row => row.verdicts.length > 0),
    quiet: found.filter(row => row.verdicts.length === 0)
  };
}

function sortBy(rows: readonly JudgedRow[], order: Order): JudgedRow[] {
  const sorted = [...rows];
  switch (order) {
    case 'name':
      return sorted.sort((one, other) =>
        one.name.localeCompare(other.name, undefined, { numeric: true })
      );
    case 'nulls':
      return sorted.sort((one, other) => other.nulls - one.nulls);
    case 'drift':
      return sorted.sort((one, other) => (other.drift?.effect ?? 0) - (one.drift?.effect ?? 0));
    default:
      return sorted;
  }
}

/** The rows with what is said of each; where a step's work is looked at, that is what it did. */
export function judge(
  trans: TranslationBundle,
  rows: readonly ColumnRow[],
  changes: TableChange | null
): JudgedRow[] {
  const judged = rows.map(row => ({
    ...row,
    verdicts: changes
      ? changesOf(trans, row, changes)
      : row.anomalies.map(anomaly => ({
          severity: anomaly.severity,
          words: kindWords(anomaly.kind),
          sentence: anomaly.description
        }))
  }));
  // The server has put those with anomalies first; the sort is stable.
  return changes ? judged.sort((one, other) => rank(one) - rank(other)) : judged;
}

function rank(row: JudgedRow): number {
  return row.verdicts.length > 0 ? 0 : 1;
}

function changesOf(trans: TranslationBundle, row: ColumnRow, changes: TableChange): Verdict[] {
  const { name } = row;
  const said: [string, string][] = [];
  const renamed = changes.columns_renamed.find(({ after }) => after === name);
  if (renamed) {
    said.push([trans.__('renamed'), trans.__('It was called %1.', renamed.before)]);
  } else if (changes.columns_added.includes(name)) {
    said.push([trans.__('new'), trans.__('The step has added this column.')]);
  }
  const type = changes.types.find(({ column }) => column === name);
  if (type) {
    const words = `${type.before} → ${type.after}`;
    said.push([words, trans.__('The type was changed: %1.', words)]);
  }
  const nulls = changes.nulls.find(({ column }) => column === name);
  // That fewer rows have fewer nulls says nothing.
  const shareBefore = (nulls?.before ?? 0) / Math.max(1, changes.rows_before);
  const shareAfter = (nulls?.after ?? 0) / Math.max(1, changes.rows_after);
  if (nulls && Math.abs(shareAfter - shareBefore) > SAME_SHARE) {
    const count = Math.abs(nulls.after - nulls.before);
    const written = count.toLocaleString();
    said.push([
      nulls.after > nulls.before
        ? trans._n('+%2 null', '+%2 nulls', count, written)
        : trans._n('−%2 null', '−%2 nulls', count, written),
      trans.__(
        'Missing values: %1 before, %2 after.',
        nulls.before.toLocaleString(),
        nulls.after.toLocaleString()
      )
    ]);
  }
  const lost = changes.categories_lost.find(({ column }) => column === name);
  if (lost) {
    const values = lost.values.map(String).join(', ');
    said.push([
      trans._n('%1 value lost', '%1 values lost', lost.values.length),
      trans.__('No row has these values any more: %1', values)
    ]);
  }
  const gained = changes.categories_gained.find(({ column }) => column === name);
  if (gained) {
    const values = gained.values.map(String).join(', ');
    said.push([
      trans._n('%1 value new', '%1 values new', gained.values.length),
      trans.__('No row had these values before: %1', values)
    ]);
  }
  const drift = changes.drift[name];
  if (drift) {
    said.push([
      trans.__('distribution'),
      trans.__('The values are distributed differently, by %1.', percent(drift.distance))
    ]);
  }
  return said.map(([words, sentence]) => ({ severity: 'change' as const, words, sentence }));
}

/** `nulls_increased` → `nulls increased`. */
export function kindWords(kind: string): string {
  return kind.replace(/_/g, ' ');
}

/** The anomalies, the gravest first. */
export function gravestFirst<T extends Anomaly>(anomalies: readonly T[]): T[] {
  const order = ['error', 'warning', 'info'];
  return [...anomalies].sort(
    (one, other) => order.indexOf(one.severity) - order.indexOf(other.severity)
  );
}

/** `15 %`, `0.05 %`. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(share < 0.1 ? 2 : 3))} %`;
}

export function severityWord(trans: TranslationBundle, severity: Severity | 'change'): string {
  switch (severity) {
    case 'error':
      return trans.__('Error');
    case 'warning':
      return trans.__('Warning');
    case 'info':
      return trans.__('Note');
    case 'change':
      return trans.__('Change');
  }
}
