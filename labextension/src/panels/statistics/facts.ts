/** The server's names for numbers, as people call them. */
import type { TranslationBundle } from '@jupyterlab/translation';

export function factWord(trans: TranslationBundle, name: string): string {
  const words: { [name: string]: string } = {
    rows: trans.__('rows'),
    nulls: trans.__('nulls'),
    distinct: trans.__('distinct'),
    mean: trans.__('mean'),
    std: trans.__('standard deviation'),
    min: trans.__('smallest'),
    max: trans.__('largest'),
    infinities: trans.__('infinite'),
    zeros: trans.__('zero'),
    negatives: trans.__('negative'),
    order: trans.__('order'),
    lengths: trans.__('lengths'),
    blank: trans.__('blank'),
    edge_spaces: trans.__('space at an end'),
    numeric: trans.__('numbers as text'),
    shapes: trans.__('shapes'),
    span: trans.__('span'),
    median_gap: trans.__('usual gap'),
    max_gap: trans.__('widest gap'),
    zone: trans.__('time zone'),
    python_types: trans.__('Python types'),
    kolmogorov_smirnov: trans.__('Kolmogorov–Smirnov'),
    total_variation: trans.__('total variation')
  };
  return words[name] ?? name.replace(/_/g, ' ');
}
