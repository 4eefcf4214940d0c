/** A distribution in the height of a line: the reference as an area, the run as a line over it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Bins } from '../../tokens';
import { percent } from './rows';

interface SparklineProps {
  bins: Bins;
  label: string;
  width?: number;
  height?: number;
}

/** Also the picture of a column where nothing draws charts; it grows with its place then. */
export function Sparkline(props: SparklineProps): React.ReactElement {
  const { bins, label, width = 96, height = 22 } = props;
  const most = Math.max(...bins.current, ...(bins.reference ?? []), 1e-9);
  const draw = (shares: readonly number[]): string => outline(shares, most, width, height);
  return (
    <svg
      className="jp-Pipelines-sparkline"
      role="img"
      aria-label={label}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
    >
      {bins.reference ? (
        <polygon
          className="jp-Pipelines-reference"
          points={`0,${height} ${draw(bins.reference)} ${width},${height}`}
        />
      ) : (
        <polygon
          className="jp-Pipelines-only"
          points={`0,${height} ${draw(bins.current)} ${width},${height}`}
        />
      )}
      <polyline className="jp-Pipelines-current" points={draw(bins.current)} />
      {bins.unseen?.map((isUnseen, at) =>
        isUnseen ? (
          <rect
            key={at}
            className="jp-Pipelines-unseen"
            x={(at * width) / bins.current.length}
            y={height - 3}
            width={width / bins.current.length}
            height={3}
          />
        ) : null
      )}
    </svg>
  );
}

/** Steps as high as the shares, from left to right. */
export function outline(
  shares: readonly number[],
  most: number,
  width: number,
  height: number
): string {
  const step = width / shares.length;
  return shares
    .map((share, at) => {
      const y = (height - 1 - (share / most) * (height - 3)).toFixed(1);
      return `${(at * step).toFixed(1)},${y} ${((at + 1) * step).toFixed(1)},${y}`;
    })
    .join(' ');
}

/** What the drawing shows, for ears. */
export function inWords(trans: TranslationBundle, bins: Bins): string {
  if (bins.kind === 'numbers') {
    return trans.__('Distribution from %1 to %2', bins.start_text ?? '', bins.stop_text ?? '');
  }
  const told = (bins.labels ?? [])
    .slice(0, 6)
    .map((label, at) => `${label} ${percent(bins.current[at])}`);
  return trans.__('Shares: %1', told.join(', '));
}

/** How a number went through the runs, the oldest first. */
export function Trend(props: {
  values: readonly (number | null)[];
  label: string;
  width?: number;
}): React.ReactElement {
  const { values, label, width = 120 } = props;
  const height = 22;
  const known = values.filter((value): value is number => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const points = values.flatMap((value, at) => {
    if (value === null) {
      return [];
    }
    const x = values.length > 1 ? 3 + (at * (width - 6)) / (values.length - 1) : width / 2;
    const share = high > low ? (value - low) / (high - low) : 0.5;
    return [[x, height - 3 - share * (height - 6)] as const];
  });
  const last = points.at(-1);
  return (
    <svg
      className="jp-Pipelines-sparkline"
      role="img"
      aria-label={label}
      width={width}
      height={height}
    >
      <polyline
        className="jp-Pipelines-current"
        points={points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ')}
      />
      {last ? <circle className="jp-Pipelines-last" cx={last[0]} cy={last[1]} r="2.5" /> : null}
    </svg>
  );
}
