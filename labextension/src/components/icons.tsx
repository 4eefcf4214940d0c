/** Drawings for states and roles. Always beside a word: none of them carries a meaning alone. */
import { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { StepState } from '../state';
import { NAMESPACE, type Role } from '../tokens';

export const pipelineIcon = new LabIcon({
  name: `${NAMESPACE}:pipeline`,
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3 jp-icon-selectable" fill="none" stroke="#616161" stroke-width="1.4">
    <path d="M8 5.2v1.6c0 1-.6 1.4-1.5 1.4H5c-.9 0-1.5.5-1.5 1.4v1.1M8 5.2v1.6c0 1 .6 1.4 1.5 1.4H11c.9 0 1.5.5 1.5 1.4v1.1"/>
  </g>
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <rect x="5.7" y="1" width="4.6" height="4.2" rx="1.3"/>
    <rect x="1.2" y="10.8" width="4.6" height="4.2" rx="1.3"/>
    <rect x="10.2" y="10.8" width="4.6" height="4.2" rx="1.3"/>
  </g>
</svg>`
});

const RING = <circle cx="8" cy="8" r="6" />;
const DOTTED_RING = <circle cx="8" cy="8" r="6" strokeDasharray="2.4 2.3" />;
const ROUND_ARROW = <path d="M13.4 6.2A5.8 5.8 0 1 0 13.8 9M13.9 2.8v3.6h-3.6" />;

const STATE_DRAWINGS: { [state in StepState]: React.ReactNode } = {
  queued: (
    <>
      {RING}
      <path d="M8 4.8V8l2.2 1.4" />
    </>
  ),
  running: <path d="M8 2a6 6 0 1 1-6 6" />,
  succeeded: (
    <>
      {RING}
      <path d="m5.2 8.2 2 2 3.6-4.2" />
    </>
  ),
  reused: (
    <>
      {ROUND_ARROW}
      <path d="m5.6 8.1 1.7 1.7 3-3.4" />
    </>
  ),
  failed: (
    <>
      {RING}
      <path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4" />
    </>
  ),
  cancelled: (
    <>
      {RING}
      <path d="M5.7 5.7h4.6v4.6H5.7z" />
    </>
  ),
  skipped: <path d="m3.5 4.5 3.8 3.5-3.8 3.5m5-7 3.8 3.5-3.8 3.5" />,
  interrupted: (
    <>
      {RING}
      <path d="M8 4.6v4.2m0 1.7v.9" />
    </>
  ),
  reuse: ROUND_ARROW,
  run: (
    <>
      {RING}
      <path d="M6.7 5.4v5.2L10.8 8z" />
    </>
  ),
  undecided: (
    <>
      {DOTTED_RING}
      <path d="M6.4 6.6c.1-1 .8-1.6 1.7-1.6s1.6.6 1.6 1.5c0 1.3-1.7 1.3-1.7 2.6m0 1.4v.8" />
    </>
  )
};

const ROLE_DRAWINGS: { [role in Role]: React.ReactNode } = {
  importer: <path d="M8 2v7m-2.8-2.6L8 9.2l2.8-2.8M2.5 10v3.5h11V10" />,
  validator: (
    <path d="M8 1.8 3 3.6v4c0 3 2.1 5.3 5 6.6 2.9-1.3 5-3.6 5-6.6v-4zM5.7 8l1.6 1.6 3-3.4" />
  ),
  transformer: (
    <path d="M2 5h3.5l5 6H14m-2.2-2.2L14 11l-2.2 2.2M2 11h3.5l1.3-1.6M9.2 6.6 10.5 5H14m-2.2-2.2L14 5l-2.2 2.2" />
  ),
  trainer: <path d="M2 13.5h12M4 11.5l3-3.3 2.2 1.9L13 5m0 0h-2.8M13 5v2.8" />,
  evaluator: <path d="M2 13.5h12M4 13V9m4 4V3m4 10V6" />,
  deployer: <path d="M8 10V2.5M5.2 5.2 8 2.4l2.8 2.8M2.5 10v3.5h11V10" />,
  monitor: <path d="M1.5 8.5h3l2-5 3 9 2-4h3" />
};

interface DrawingProps {
  className: string;
  title?: string;
  children: React.ReactNode;
}

function Drawing({ className, title, children }: DrawingProps): React.ReactElement {
  return (
    <svg
      className={className}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      role={title ? 'img' : undefined}
      aria-label={title}
      aria-hidden={title ? undefined : true}
    >
      {title ? <title>{title}</title> : null}
      {children}
    </svg>
  );
}

export function StateIcon({ state }: { state: StepState }): React.ReactElement {
  return <Drawing className="jp-Pipelines-stateIcon">{STATE_DRAWINGS[state]}</Drawing>;
}

export function RoleIcon({ role, title }: { role: Role; title: string }): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-roleIcon" title={title}>
      {ROLE_DRAWINGS[role]}
    </Drawing>
  );
}

/** Two links of a chain: the step shares its kernel with others. */
export function UnitIcon({ title }: { title?: string }): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-unitIcon" title={title}>
      <path d="M6.7 9.3a2.6 2.6 0 0 0 3.7 0l2.4-2.4a2.6 2.6 0 1 0-3.7-3.7L8 4.3M9.3 6.7a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 1 0 3.7 3.7L8 11.7" />
    </Drawing>
  );
}

/** Beside what is worth a look but in order. */
export function NoteIcon(): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-noteIcon">
      <path d="M8 2.2 14.3 13.4H1.7zM8 6.4v3.2m0 1.7v.3" />
    </Drawing>
  );
}

/** Small drawings of tools; the button says what they do. */
export function MinusIcon(): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-toolIcon">
      <path d="M3.5 8h9" />
    </Drawing>
  );
}

export function FitIcon(): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-toolIcon">
      <path d="M2.5 5.5v-3h3m5 0h3v3m0 5v3h-3m-5 0h-3v-3" />
    </Drawing>
  );
}

export function GroupIcon(): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-toolIcon">
      <path d="M2 2.5h12v11H2zM5 5.5h2.5V8H5zm4 3h2.5V11H9z" />
    </Drawing>
  );
}

export function FoldIcon(): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-toolIcon">
      <path d="M2.5 8h11M5.5 2.5 8 5l2.5-2.5M5.5 13.5 8 11l2.5 2.5" />
    </Drawing>
  );
}

/** Beside a run that is kept. */
export function PinIcon({ title }: { title: string }): React.ReactElement {
  return (
    <Drawing className="jp-Pipelines-pinIcon" title={title}>
      <path d="M5.5 2h5M6.3 2v4.2L4.5 8.5h7L9.7 6.2V2M8 8.5V14" />
    </Drawing>
  );
}
