/** What differs between two values, from what is shown of them. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { PreviewContent } from '../../tokens';

type Table = Extract<PreviewContent, { kind: 'table' }>;

/** Sentences about two tables; none where one is no table. */
export function describeTables(
  trans: TranslationBundle,
  before: PreviewContent | null,
  after: PreviewContent | null
): string[] {
  if (before?.kind !== 'table' || after?.kind !== 'table') {
    return [];
  }
  const sentences: string[] = [];
  const rows = after.shape[0] - before.shape[0];
  if (rows !== 0) {
    const share = before.shape[0] > 0 ? ` (${((100 * rows) / before.shape[0]).toFixed(1)} %)` : '';
    sentences.push(
      rows > 0
        ? trans._n('%2 row more%3', '%2 rows more%3', rows, rows.toLocaleString(), share)
        : trans._n('%2 row fewer%3', '%2 rows fewer%3', -rows, (-rows).toLocaleString(), share)
    );
  }
  const [old, now] = [typesOf(before), typesOf(after)];
  const added = [...now.keys()].filter(name => !old.has(name));
  const removed = [...old.keys()].filter(name => !now.has(name));
  // Of a very wide table only the first columns are known.
  if (added.length > 0) {
    sentences.push(trans.__('new columns: %1', added.join(', ')));
  }
  if (removed.length > 0) {
    sentences.push(trans.__('columns that are gone: %1', removed.join(', ')));
  }
  for (const [name, type] of old) {
    const other = now.get(name);
    if (other !== undefined && other !== type) {
      sentences.push(trans.__('type of %1: %2, now %3', name, type, other));
    }
  }
  return sentences.length > 0 ? sentences : [trans.__('same shape and types, other values')];
}

function typesOf({ columns }: Table): Map<string, string> {
  return new Map(columns.map(({ name, dtype }) => [name, dtype]));
}
