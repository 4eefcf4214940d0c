/** The drawing of the pipeline. Loaded late: the list of steps says the same and is there at once. */
import { caretDownIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { RoleIcon, StateIcon, UnitIcon } from '../../components/icons';
import type { Group } from '../../groups';
import {
  edgeSentence,
  roleWord,
  stateWord,
  stepState,
  unitSentence,
  type StepState
} from '../../state';
import type { Pipeline, Role, Unit } from '../../tokens';
import { formatDuration, formatSize } from '../../units';
import { shortSummary, valuesOf } from '../../values';
import { findingOf, type Finding } from '../statistics/finding';
import { SeverityIcon } from '../statistics/severity';
import { labelPoint, lineKind, lineLabel, linePath, linesOf, type Line } from './edges';
import { nextBox, type Arrow } from './keys';
import { groupKey, placeSteps, shownAs, type Place, type Size } from './layout';
import { Legend } from './legend';
import { Minimap } from './minimap';
import { Tools } from './tools';
import { Viewport } from './viewport';

/** With more lines than these the names would cover the drawing: they show for one step at a time. */
const MANY_LINES = 8;
/** A graph of more steps than these is shown in groups, and groups of more than those closed, at first. */
const MANY_STEPS = 20;
const VERY_MANY_STEPS = 40;

interface GraphProps {
  pipeline: Pipeline;
  groups: readonly Group[];
  frame: Size;
}

export default function Graph({ pipeline, groups, frame }: GraphProps): React.ReactElement {
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  const { model } = notebook;
  const { selectedStep } = model;
  const id = React.useId();
  const [pointed, setPointed] = React.useState<string | null>(null);
  const [isGrouped, setGrouped] = React.useState(pipeline.steps.length > MANY_STEPS);
  const [toggled, setToggled] = React.useState<ReadonlySet<string>>(new Set());
  const [words, setWords] = React.useState('');
  const areClosedAtFirst = pipeline.steps.length > VERY_MANY_STEPS;

  const shownGroups = isGrouped ? groups : [];
  const collapsed = new Set(
    shownGroups.filter(group => toggled.has(group.id) !== areClosedAtFirst).map(group => group.id)
  );
  const toggle = (groupId: string): void =>
    setToggled(old => {
      const changed = new Set(old);
      return changed.delete(groupId) ? changed : changed.add(groupId);
    });

  // Status and decisions change often, places only with the shape of the graph.
  const shape = {
    names: pipeline.steps.map(step => step.name),
    links: pipeline.edges.map(({ source, target }) => ({ source, target })),
    groups: shownGroups,
    collapsed,
    marked: new Set(pipeline.steps.filter(step => step.unit).map(step => step.name))
  };
  const shapeKey = JSON.stringify([shape, [...collapsed], [...shape.marked], frame]);
  const columns = React.useRef<number>();
  const layout = React.useMemo(() => placeSteps(shape, frame, columns.current), [shapeKey]);
  columns.current = layout.columns;
  const boxOf = shownAs(shape);
  const places = new Map([
    ...layout.steps,
    ...shownGroups.map(group => [groupKey(group.id), layout.groups.get(group.id)!] as const)
  ]);
  const lines = React.useMemo(() => linesOf(pipeline.edges, boxOf), [shapeKey, pipeline.edges]);

  const { frameElement, layerElement, viewport, map } = useViewport();
  React.useLayoutEffect(() => {
    viewport.current!.view = layout.view;
  }, [
    `${shape.names.length} ${[...collapsed].join()} ${isGrouped} ${frame.width} ${frame.height}`
  ]);
  const reveal = (name: string): void => {
    const place = places.get(boxOf(name));
    if (place) {
      viewport.current?.reveal(place);
    }
  };
  React.useEffect(() => {
    if (selectedStep) {
      reveal(selectedStep);
    }
  }, [selectedStep, shapeKey]);

  const select = (box: string): void => {
    const group = shownGroups.find(found => groupKey(found.id) === box);
    model.selectStep(group ? group.steps[0] : box);
  };
  const found = matches(pipeline, words);
  const findNext = (): void => {
    const names = [...found];
    const next = names[(names.indexOf(selectedStep ?? '') + 1) % names.length];
    if (next) {
      const group = shownGroups.find(({ steps }) => steps.includes(next));
      if (group && collapsed.has(group.id)) {
        toggle(group.id);
      }
      model.selectStep(next);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const { key } = event;
    const current = selectedStep ? boxOf(selectedStep) : null;
    const group = shownGroups.find(({ id: groupId }) => groupKey(groupId) === current);
    if (key.startsWith('Arrow')) {
      const shown = new Map([...places].filter(([box]) => isEnd(box)));
      const next = current && nextBox(current, key as Arrow, shown, lines);
      select(next ?? current ?? boxOf(shape.names[0]));
    } else if (key === 'Enter' && group) {
      toggle(group.id);
    } else if (key === 'Enter' && selectedStep) {
      actions.revealStep(notebook, selectedStep);
    } else if (key === 'Escape') {
      model.selectStep(null);
    } else if (key === '+' || key === '=') {
      viewport.current?.zoomIn();
    } else if (key === '-') {
      viewport.current?.zoomOut();
    } else if (key === '0') {
      viewport.current?.fit(layout);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  /** Whether lines may end at a box: at steps, and at groups that are closed. */
  const isEnd = (box: string): boolean =>
    layout.steps.has(box) || [...collapsed].some(groupId => groupKey(groupId) === box);

  const selectedBox = selectedStep ? boxOf(selectedStep) : null;
  const focus = pointed ?? selectedBox;
  const sizeOf = (step: string, name: string): string => {
    const value = valuesOf(model.lastStepRun(step)).get(name);
    return value
      ? shortSummary(value) || (value.size_bytes ? formatSize(value.size_bytes) : '')
      : '';
  };
  const findingIn = (step: string, names?: readonly string[]): Finding | null =>
    findingOf(trans, model.lastStepRun(step)?.anomalies ?? [], names);
  const hasRoom = !layout.isCompact && lines.length <= MANY_LINES;

  // Where one value goes from a step to many it is named once.
  const labels = new Set<string>();
  const labelled = lines
    .filter(line => isNear(line) || (focus === null && hasRoom))
    .map(line => ({
      line,
      label: lineLabel(
        line,
        isNear(line) ? sizeOf : () => '',
        layout.isCompact && line.key !== pointed
      )
    }))
    .filter(({ line, label }) => {
      const key = `${line.source} ${label}`;
      const isNew = label !== '' && (!labels.has(key) || line.key === pointed);
      labels.add(key);
      return isNew;
    });

  return (
    <>
      <div
        ref={frameElement}
        className="jp-Pipelines-graph"
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Graph of the steps. The list of steps says the same.')}
        aria-activedescendant={
          selectedBox && isEnd(selectedBox) ? `${id} ${selectedBox}` : undefined
        }
        data-searching={words ? '' : undefined}
        onKeyDown={onKeyDown}
        onClick={event => event.target === event.currentTarget && model.selectStep(null)}
      >
        <div ref={layerElement} className="jp-Pipelines-layer">
          {shownGroups.map(group => (
            <GroupBox
              key={group.id}
              id={`${id} ${groupKey(group.id)}`}
              group={group}
              place={layout.groups.get(group.id)!}
              isCollapsed={collapsed.has(group.id)}
              isSelected={groupKey(group.id) === selectedBox}
              isFound={group.steps.some(name => found.has(name))}
              states={group.steps.map(name => stepState(model, model.step(name)!))}
              onToggle={() => toggle(group.id)}
            />
          ))}
          <svg
            className="jp-Pipelines-lines"
            width={layout.width}
            height={layout.height}
            aria-hidden="true"
          >
            <defs>
              {['plain', 'near'].map(kind => (
                <marker
                  key={kind}
                  id={`${id}${kind}`}
                  className={`jp-mod-${kind}`}
                  viewBox="0 0 8 8"
                  refX="5"
                  refY="4"
                  markerWidth="9"
                  markerHeight="9"
                  markerUnits="userSpaceOnUse"
                  orient="auto"
                >
                  <path d="M0 0.5 8 4 0 7.5z" />
                </marker>
              ))}
            </defs>
            {lines.map(line => (
              <LineView
                key={line.key}
                line={line}
                path={linePath(
                  places.get(line.source)!,
                  places.get(line.target)!,
                  layout.routes.get(line.key) ?? []
                )}
                isNear={isNear(line)}
                markerId={id}
                finding={findingOnLine(line)}
                sentence={line.edges
                  .map(edge => edgeSentence(trans, edge, model.step(edge.target)?.unit ?? null))
                  .join('\n')}
                onPoint={setPointed}
              />
            ))}
          </svg>
          {pipeline.steps.map(step => {
            const place = layout.steps.get(step.name);
            const run = model.stepRun(step.name);
            return place ? (
              <StepBox
                key={step.name}
                id={`${id} ${step.name}`}
                name={step.name}
                x={place.x}
                y={place.y}
                width={place.width}
                height={place.height}
                state={stepState(model, step)}
                role={step.role}
                unit={step.unit}
                isCompact={layout.isCompact}
                isSelected={step.name === selectedStep}
                isFound={found.has(step.name)}
                finding={findingIn(step.name)}
                durationSeconds={run ? run.duration_seconds : (step.last?.duration_seconds ?? null)}
                onPoint={setPointed}
                onOpen={name => actions.revealStep(notebook, name)}
              />
            ) : null;
          })}
          {labelled.map(({ line, label }) => {
            const [source, target] = [places.get(line.source)!, places.get(line.target)!];
            const { x, y } = labelPoint(source, target, layout.routes.get(line.key) ?? []);
            return (
              <span
                key={line.key}
                className="jp-Pipelines-lineLabel"
                role="presentation"
                style={{ left: x, top: y }}
              >
                {label}
              </span>
            );
          })}
        </div>
        <Minimap
          ref={map}
          layout={layout}
          frame={frame}
          states={new Map(pipeline.steps.map(step => [step.name, stepState(model, step)]))}
          onMove={(x, y) => viewport.current?.centre(x, y)}
        />
      </div>
      <div className="jp-Pipelines-graphFoot">
        <Tools
          viewport={viewport}
          onFit={() => viewport.current?.fit(layout)}
          words={words}
          found={found.size}
          isSearched={pipeline.steps.length > MANY_LINES}
          onWords={setWords}
          onNext={findNext}
          isGrouped={isGrouped}
          onGrouped={groups.length > 0 ? setGrouped : null}
          onToggleAll={
            isGrouped && groups.length > 0
              ? () => {
                  const areClosed = collapsed.size > 0;
                  setToggled(
                    new Set(areClosed === areClosedAtFirst ? groups.map(group => group.id) : [])
                  );
                }
              : null
          }
          areSomeClosed={collapsed.size > 0}
        />
        <Legend edges={pipeline.edges} />
      </div>
    </>
  );

  /** The gravest of what was found in the values that cross a line. */
  function findingOnLine({ edges }: Line): Finding | null {
    const all = edges.map(({ source, names }) => findingIn(source, names));
    return all.find(one => one?.severity === 'error') ?? all.find(one => one !== null) ?? null;
  }

  function isNear({ source, target, key }: Line): boolean {
    return focus !== null && (source === focus || target === focus || key === focus);
  }
}

/** The elements of the viewport, and the viewport as long as they are there. */
function useViewport() {
  const frameElement = React.useRef<HTMLDivElement>(null);
  const layerElement = React.useRef<HTMLDivElement>(null);
  const viewport = React.useRef<Viewport | null>(null);
  const map = React.useRef<Minimap>(null);
  React.useLayoutEffect(() => {
    const made = new Viewport(frameElement.current!, layerElement.current!, view =>
      map.current?.show(view)
    );
    viewport.current = made;
    return () => made.dispose();
  }, []);
  return { frameElement, layerElement, viewport, map };
}

/** The steps whose name or title has all of the words; none where nothing is searched. */
function matches({ steps }: Pipeline, words: string): Set<string> {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return new Set(
    steps
      .filter(({ name, title, outputs }) => {
        const text = [name, title, ...outputs].join(' ').toLowerCase();
        return wanted.length > 0 && wanted.every(word => text.includes(word));
      })
      .map(step => step.name)
  );
}

interface LineViewProps {
  line: Line;
  path: string;
  isNear: boolean;
  markerId: string;
  sentence: string;
  finding: Finding | null;
  onPoint(key: string | null): void;
}

const LineView = React.memo(
  function LineView(props: LineViewProps): React.ReactElement {
    const { line, path, isNear, markerId, sentence, finding, onPoint } = props;
    return (
      <g
        className={`jp-Pipelines-edge jp-mod-${lineKind(line)} ${isNear ? 'jp-mod-near' : ''}`}
        data-edge={line.key}
        data-severity={finding?.severity}
        onPointerEnter={() => onPoint(line.key)}
        onPointerLeave={() => onPoint(null)}
      >
        <title>{finding ? `${sentence}\n${finding.sentence}` : sentence}</title>
        <path className="jp-Pipelines-edgeArea" d={path} />
        <path d={path} markerEnd={`url(#${markerId}${isNear ? 'near' : 'plain'})`} />
      </g>
    );
  },
  (old, now) =>
    old.path === now.path &&
    old.isNear === now.isNear &&
    old.sentence === now.sentence &&
    old.finding?.sentence === now.finding?.sentence
);

interface StepBoxProps extends Place {
  id: string;
  name: string;
  state: StepState;
  role: Role | null;
  unit: Unit | null;
  isCompact: boolean;
  isSelected: boolean;
  isFound: boolean;
  finding: Finding | null;
  durationSeconds: number | null;
  onPoint(name: string | null): void;
  onOpen(name: string): void;
}

const StepBox = React.memo(
  function StepBox(props: StepBoxProps): React.ReactElement {
    const trans = useTrans();
    const { name, state, role, unit, finding, isCompact, durationSeconds, onPoint } = props;
    const word = stateWord(trans, state);
    const odd = finding ? `, ${trans._n('%1 anomaly', '%1 anomalies', finding.count)}` : '';
    return (
      <div
        id={props.id}
        className="jp-Pipelines-node"
        role="option"
        aria-selected={props.isSelected}
        aria-label={`${name}: ${word}${odd}`}
        data-state={state}
        data-step={name}
        data-selected={props.isSelected || undefined}
        data-found={props.isFound || undefined}
        data-compact={isCompact || undefined}
        title={`${name}: ${word}`}
        style={boxStyle(props)}
        onClick={() => props.onOpen(name)}
        onPointerEnter={() => onPoint(name)}
        onPointerLeave={() => onPoint(null)}
      >
        <div className="jp-Pipelines-nodeName">
          {isCompact ? <StateIcon state={state} /> : null}
          <span>{name}</span>
          {unit ? <UnitIcon title={unitSentence(trans, unit, name)} /> : null}
          {role && !isCompact ? <RoleIcon role={role} title={roleWord(trans, role)} /> : null}
        </div>
        {finding ? (
          <div
            className="jp-Pipelines-finding"
            data-severity={finding.severity}
            title={finding.sentence}
          >
            <SeverityIcon severity={finding.severity} />
            {isCompact ? null : finding.count}
          </div>
        ) : null}
        {isCompact ? null : (
          <div className="jp-Pipelines-nodeState">
            <StateIcon state={state} />
            <span>{word}</span>
            {durationSeconds !== null && state !== 'reused' ? (
              <span className="jp-Pipelines-nodeDuration">{formatDuration(durationSeconds)}</span>
            ) : null}
          </div>
        )}
      </div>
    );
  },
  // The functions do the same in every drawing.
  (old, now) =>
    (Object.keys(now) as (keyof StepBoxProps)[]).every(
      key => key.startsWith('on') || key === 'unit' || key === 'finding' || old[key] === now[key]
    ) &&
    JSON.stringify(old.unit) === JSON.stringify(now.unit) &&
    old.finding?.sentence === now.finding?.sentence
);

interface GroupBoxProps {
  id: string;
  group: Group;
  place: Place;
  isCollapsed: boolean;
  isSelected: boolean;
  isFound: boolean;
  states: StepState[];
  onToggle(): void;
}

/** A group: a frame around its steps, or one box that tells how many of them are in which state. */
function GroupBox(props: GroupBoxProps): React.ReactElement {
  const trans = useTrans();
  const { group, isCollapsed, states } = props;
  const counts = new Map<StepState, number>();
  states.forEach(state => counts.set(state, (counts.get(state) ?? 0) + 1));
  const summary = [...counts].map(([state, count]) => `${count} ${stateWord(trans, state)}`);
  const label = trans._n(
    '%2: %1 step (%3)',
    '%2: %1 steps (%3)',
    group.steps.length,
    group.title,
    summary.join(', ')
  );
  return (
    <div
      id={props.id}
      className="jp-Pipelines-group"
      role={isCollapsed ? 'option' : 'presentation'}
      aria-selected={isCollapsed ? props.isSelected : undefined}
      aria-label={isCollapsed ? label : undefined}
      title={label}
      data-group={group.title}
      data-collapsed={isCollapsed || undefined}
      data-selected={props.isSelected || undefined}
      data-found={props.isFound || undefined}
      style={boxStyle(props.place)}
    >
      <div className="jp-Pipelines-groupTitle" onClick={props.onToggle}>
        <caretDownIcon.react className="jp-Pipelines-caret" tag="span" />
        <span>{group.title}</span>
        {isCollapsed ? <span className="jp-Pipelines-count">{group.steps.length}</span> : null}
      </div>
      {isCollapsed ? (
        <div className="jp-Pipelines-stateBar" aria-hidden="true">
          {[...counts].map(([state, count]) => (
            <span key={state} data-state={state} style={{ flexGrow: count }} />
          ))}
        </div>
      ) : null}
    </div>
  );
}

function boxStyle({ x, y, width, height }: Place): React.CSSProperties {
  return { transform: `translate(${x}px, ${y}px)`, width, height };
}
