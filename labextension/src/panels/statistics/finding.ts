/** What was found in the tables of a step, as far as a mark in the drawing can tell it. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Anomaly, Severity } from '../../tokens';
import { gravestFirst, kindWords } from './rows';

export interface Finding {
  /** Of the gravest. */
  severity: Severity;
  count: number;
  sentence: string;
}

/** More than these are counted. */
const FEW = 4;

/** Null where nothing is wrong. With `names`, only of these outputs. */
export function findingOf(
  trans: TranslationBundle,
  anomalies: readonly Anomaly[],
  names?: readonly string[]
): Finding | null {
  const ours = gravestFirst(anomalies).filter(
    ({ output, severity }) =>
      severity !== 'info' && (names === undefined || names.includes(output ?? ''))
  );
  if (ours.length === 0) {
    return null;
  }
  const told = ours.slice(0, FEW).map(({ output, feature, kind }) => {
    const name = feature === null ? output : `${output}.${feature}`;
    return `${name}: ${kindWords(kind)}`;
  });
  const left = ours.length - told.length;
  const head = trans._n('%1 anomaly', '%1 anomalies', ours.length);
  const rest = left > 0 ? [trans._n('and %1 more', 'and %1 more', left)] : [];
  return {
    severity: ours[0].severity,
    count: ours.length,
    sentence: [head, ...told, ...rest].join('\n')
  };
}
