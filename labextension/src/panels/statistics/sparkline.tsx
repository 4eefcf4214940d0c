/** A distribution in the height of a line: the reference as an area, the run as a line over it. */
import * as React from 'react';

import type { Bins } from '../../tokens';

const WIDTH = 96;
const HEIGHT = 20;

export function Sparkline(props: { bins: Bins; label: string }): React.ReactElement {
  const { bins, label } = props;
  const most = Math.max(...bins.current, ...(bins.reference ?? []), 1e-9);
  return (
    <svg
      className="jp-Pipelines-sparkline"
      role="img"
      aria-label={label}
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
    >
      <title>{label}</title>
      {bins.reference ? (
        <polygon
          className="jp-Pipelines-reference"
          points={`0,${HEIGHT} ${outline(bins.reference, most)} ${WIDTH},${HEIGHT}`}
        />
      ) : null}
      <polyline className="jp-Pipelines-current" points={outline(bins.current, most)} />
      {bins.unseen?.map((isUnseen, at) =>
        isUnseen ? (
          <rect
            key={at}
            className="jp-Pipelines-unseen"
            x={(at * WIDTH) / bins.current.length}
            y={HEIGHT - 3}
            width={WIDTH / bins.current.length}
            height={3}
          />
        ) : null
      )}
    </svg>
  );
}

/** Steps as high as the shares, from left to right. */
export function outline(shares: readonly number[], most: number): string {
  const width = WIDTH / shares.length;
  return shares
    .map((share, at) => {
      const y = (HEIGHT - (share / most) * (HEIGHT - 2)).toFixed(1);
      return `${(at * width).toFixed(1)},${y} ${((at + 1) * width).toFixed(1)},${y}`;
    })
    .join(' ');
}
