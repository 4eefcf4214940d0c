/** How the edges of the graph are drawn. */
import {
  BaseEdge,
  getBezierPath,
  MarkerType,
  type Edge as FlowEdge,
  type EdgeProps
} from '@xyflow/react';
import * as React from 'react';

import { edgeKind } from '../../state';
import type { Edge } from '../../tokens';

/** With more names than these an edge says how many others there are. */
const MANY_NAMES = 3;

type StepEdge = FlowEdge<{ sentence: string }, 'step'>;

export const EDGE_TYPES = { step: React.memo(StepLine) };

/** `sentence` says what the edge stands for; `focus` is the step under the pointer, or the selected one. */
export function drawEdge(
  edge: Edge,
  sentence: string,
  focus: string | null,
  hasRoom: boolean
): StepEdge {
  const isNear = edge.source === focus || edge.target === focus;
  const isLabelled = isNear || (focus === null && hasRoom);
  const all = edge.names.length > 0 ? edge.names : edge.state;
  const others = all.length - MANY_NAMES;
  const names = all.slice(0, MANY_NAMES).join(', ') + (others > 0 ? ` +${others}` : '');
  return {
    id: `${edge.source} → ${edge.target}`,
    source: edge.source,
    target: edge.target,
    type: 'step',
    data: { sentence },
    ariaLabel: sentence,
    label: isLabelled ? names : undefined,
    className: `jp-Pipelines-edge jp-mod-${edgeKind(edge)} ${isNear ? 'jp-mod-near' : ''}`,
    zIndex: isNear ? 1 : 0,
    // In pixels, whatever the width of the line.
    markerEnd: {
      type: MarkerType.ArrowClosed,
      width: 14,
      height: 14,
      markerUnits: 'userSpaceOnUse'
    }
  };
}

function StepLine(props: EdgeProps<StepEdge>): React.ReactElement {
  const [path, labelX, labelY] = getBezierPath(props);
  return (
    <>
      <title>{props.data?.sentence}</title>
      <BaseEdge
        path={path}
        labelX={labelX}
        labelY={labelY}
        label={props.label}
        markerEnd={props.markerEnd}
        interactionWidth={props.interactionWidth}
      />
    </>
  );
}
