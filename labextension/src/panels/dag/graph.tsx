/** The drawing of the pipeline. Loaded late: the list of steps says the same and is there at once. */
import {
  Background,
  Controls,
  Handle,
  Position,
  ReactFlow,
  ReactFlowProvider,
  type Node,
  type NodeProps
} from '@xyflow/react';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { RoleIcon, StateIcon, UnitIcon } from '../../components/icons';
import {
  edgeSentence,
  roleWord,
  stateWord,
  stepState,
  unitSentence,
  type StepState
} from '../../state';
import type { Pipeline, Role, Unit } from '../../tokens';
import { formatDuration } from '../../units';
import { drawEdge, EDGE_TYPES } from './edge';
import { placeSteps, type Size } from './layout';

/** With more edges than these the names would cover the drawing: they show for one step at a time. */
const MANY_EDGES = 8;
const FIT = { padding: 0.04, maxZoom: 1.1 };

type StepNodeData = {
  name: string;
  state: StepState;
  role: Role | null;
  unit: Unit | null;
  isCompact: boolean;
  durationSeconds: number | null;
};
type StepNode = Node<StepNodeData, 'step'>;

const NODE_TYPES = { step: React.memo(StepBox) };

interface GraphProps {
  pipeline: Pipeline;
  frame: Size;
}

export default function Graph(props: GraphProps): React.ReactElement {
  return (
    <ReactFlowProvider>
      <Drawing {...props} />
    </ReactFlowProvider>
  );
}

function Drawing({ pipeline, frame }: GraphProps): React.ReactElement {
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  const { selectedStep } = notebook.model;
  const [hovered, setHovered] = React.useState<string | null>(null);

  // Status and decisions change often, places only with the shape of the graph.
  const names = pipeline.steps.map(step => step.name);
  const joined = pipeline.steps.filter(step => step.unit).map(step => step.name);
  const shape = JSON.stringify([
    names,
    joined,
    pipeline.edges.map(edge => [edge.source, edge.target]),
    frame
  ]);
  const { places, isCompact, nodeHeight, view } = React.useMemo(
    () => placeSteps(names, pipeline.edges, frame, new Set(joined)),
    [shape]
  );
  const nodes = pipeline.steps.map((step): StepNode => {
    const { x, y, width } = places.get(step.name)!;
    const state = stepState(notebook.model, step);
    const run = notebook.model.stepRun(step.name);
    return {
      id: step.name,
      type: 'step',
      position: { x, y },
      selected: step.name === selectedStep,
      data: {
        name: step.name,
        state,
        role: step.role,
        unit: step.unit,
        isCompact,
        durationSeconds: run ? run.duration_seconds : (step.last?.duration_seconds ?? null)
      },
      // Sizes are given, not measured: the graph is complete and fits its frame at the first drawing.
      width,
      height: nodeHeight,
      handles: [
        { type: 'target', position: Position.Top, x: width / 2, y: 0, width: 1, height: 1 },
        {
          type: 'source',
          position: Position.Bottom,
          x: width / 2,
          y: nodeHeight,
          width: 1,
          height: 1
        }
      ]
    };
  });

  const focus = hovered ?? selectedStep;
  const edges = pipeline.edges.map(edge =>
    drawEdge(
      edge,
      edgeSentence(trans, edge, notebook.model.step(edge.target)?.unit ?? null),
      focus,
      !isCompact && pipeline.edges.length <= MANY_EDGES
    )
  );

  return (
    <ReactFlow<StepNode>
      // Another shape is another drawing, with a view of its own.
      key={shape}
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      edgeTypes={EDGE_TYPES}
      onNodeClick={(_, node) => actions.revealStep(notebook, node.id)}
      onNodeMouseEnter={(_, node) => setHovered(node.id)}
      onNodeMouseLeave={() => setHovered(null)}
      onPaneClick={() => notebook.model.selectStep(null)}
      nodesDraggable={false}
      nodesConnectable={false}
      nodesFocusable={false}
      edgesFocusable={false}
      deleteKeyCode={null}
      selectionKeyCode={null}
      multiSelectionKeyCode={null}
      minZoom={0.2}
      maxZoom={2}
      defaultViewport={view}
      zoomOnDoubleClick={false}
      preventScrolling={true}
      zoomOnScroll={false}
      panOnScroll={true}
      proOptions={{ hideAttribution: true }}
      aria-label={trans.__('Graph of the steps. The list of steps says the same.')}
    >
      <Background gap={18} size={1} />
      <Controls showInteractive={false} fitViewOptions={FIT} aria-label={trans.__('Zoom')} />
    </ReactFlow>
  );
}

function StepBox({ data, selected }: NodeProps<StepNode>): React.ReactElement {
  const trans = useTrans();
  const { name, state, role, unit, isCompact, durationSeconds } = data;
  const word = stateWord(trans, state);
  return (
    <div
      className="jp-Pipelines-node"
      data-state={state}
      data-step={name}
      data-selected={selected || undefined}
      title={`${name}: ${word}`}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className="jp-Pipelines-nodeName">
        {isCompact ? <StateIcon state={state} /> : null}
        <span>{name}</span>
        {unit ? <UnitIcon title={unitSentence(trans, unit, name)} /> : null}
        {role && !isCompact ? <RoleIcon role={role} title={roleWord(trans, role)} /> : null}
      </div>
      {isCompact ? null : (
        <div className="jp-Pipelines-nodeState">
          <StateIcon state={state} />
          <span>{word}</span>
          {durationSeconds !== null && state !== 'reused' ? (
            <span className="jp-Pipelines-nodeDuration">{formatDuration(durationSeconds)}</span>
          ) : null}
        </div>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}
