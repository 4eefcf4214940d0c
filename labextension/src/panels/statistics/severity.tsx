/** A severity as a shape, which is read without its colour. */
import * as React from 'react';

import type { Verdict } from './rows';

const SIGNS = {
  error: 'M5 1 9 5 5 9 1 5Z',
  warning: 'M5 1 9.2 8.8H0.8Z',
  info: 'M5 1a4 4 0 1 1 0 8 4 4 0 1 1 0-8Z',
  change: 'M1 3.6h5V1L9.4 5 6 9V6.4H1Z'
};

export function SeverityIcon(props: { severity: Verdict['severity'] }): React.ReactElement {
  return (
    <svg
      className="jp-Pipelines-severity"
      data-severity={props.severity}
      viewBox="0 0 10 10"
      width="10"
      height="10"
      aria-hidden="true"
    >
      <path d={SIGNS[props.severity]} />
    </svg>
  );
}
