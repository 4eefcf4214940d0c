/** The steps as a list: all that the drawing says, for the keyboard and for ears too. */
import { stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { RoleIcon, UnitIcon } from '../../components/icons';
import { MovableSection } from '../../components/movable';
import { useNow } from '../../components/now';
import { State } from '../../components/state';
import { Words } from '../../components/words';
import { withoutAnsi } from '../../log';
import { roleWord, stateWord, stepState, unitSentence } from '../../state';
import { CommandIDs, type Pipeline, type Step, type StepRun } from '../../tokens';
import { formatDuration } from '../../units';
import { StepDetail } from './detail';

export function StepsPanel({ pipeline }: { pipeline: Pipeline }): React.ReactElement {
  const trans = useTrans();
  return (
    <MovableSection id="steps" title={trans.__('Steps')} note={String(pipeline.steps.length)}>
      <ul className="jp-Pipelines-steps">
        {pipeline.steps.map(step => (
          <StepItem key={step.name} step={step} />
        ))}
      </ul>
    </MovableSection>
  );
}

function StepItem({ step }: { step: Step }): React.ReactElement {
  const trans = useTrans();
  const actions = useActions();
  const notebook = useNotebook();
  const { model } = notebook;
  const isSelected = model.selectedStep === step.name;
  const state = stepState(model, step);
  const stepRun = model.stepRun(step.name);
  const id = React.useId();
  const item = React.useRef<HTMLLIElement>(null);
  const button = React.useRef<HTMLButtonElement>(null);

  React.useEffect(() => {
    if (isSelected) {
      // All of it where it fits, its beginning where it does not.
      item.current?.scrollIntoView({ block: 'nearest' });
      button.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [isSelected]);

  return (
    <li
      ref={item}
      className="jp-Pipelines-step"
      data-step={step.name}
      data-state={state}
      data-decision={step.decision}
      data-selected={isSelected || undefined}
    >
      <button
        ref={button}
        className="jp-Pipelines-stepButton"
        aria-expanded={isSelected}
        aria-controls={isSelected ? id : undefined}
        onClick={() => {
          if (isSelected) {
            model.selectStep(null);
          } else {
            actions.revealStep(notebook, step.name);
          }
        }}
      >
        <span className="jp-Pipelines-stepHead">
          <span className="jp-Pipelines-stepName">{step.name}</span>
          {step.role ? <RoleIcon role={step.role} title={roleWord(trans, step.role)} /> : null}
          {step.unit ? <UnitIcon title={unitSentence(trans, step.unit, step.name)} /> : null}
          <StepDuration step={step} stepRun={stepRun} />
        </span>
        <span className="jp-Pipelines-stepLine">
          <State state={state} />
          <StepNote step={step} stepRun={stepRun} />
        </span>
      </button>
      {stepRun?.status === 'running' && model.activeRun !== null && !model.selectedRun ? (
        <button
          className="jp-Pipelines-iconButton jp-Pipelines-cancelStep"
          title={trans.__('Cancel this step; the others go on')}
          aria-label={trans.__('Cancel step %1', step.name)}
          onClick={() => void actions.commands.execute(CommandIDs.cancelStep, { step: step.name })}
        >
          <stopIcon.react tag="span" />
        </button>
      ) : null}
      {isSelected ? <StepDetail id={id} step={step} stepRun={stepRun} /> : null}
    </li>
  );
}

/** How long the step took, takes, or is expected to take. */
function StepDuration(props: { step: Step; stepRun: StepRun | null }): React.ReactElement | null {
  const { step, stepRun } = props;
  const trans = useTrans();
  const isRunning = stepRun?.status === 'running';
  const now = useNow(isRunning);
  let seconds = stepRun ? stepRun.duration_seconds : (step.last?.duration_seconds ?? null);
  let isExpected = false;
  if (isRunning && stepRun.started_at) {
    seconds = Math.max(0, (now - Date.parse(stepRun.started_at)) / 1000);
  } else if (!stepRun && step.decision !== 'reuse' && step.expected_duration_seconds !== null) {
    seconds = step.expected_duration_seconds;
    isExpected = true;
  }
  // That a result was reused took no time worth telling.
  const isReused = (stepRun?.status ?? step.last?.status) === 'reused' && !isExpected;
  if (seconds === null || isReused) {
    return null;
  }
  const expected = isRunning ? step.expected_duration_seconds : null;
  const title = isExpected
    ? trans.__('Expected duration')
    : expected === null
      ? trans.__('Duration')
      : trans.__('Duration so far, and how long it is expected to take');
  const time = formatDuration(seconds);
  return (
    <span className="jp-Pipelines-duration" title={title}>
      {isExpected
        ? `~${time}`
        : expected === null
          ? time
          : trans.__('%1 of ~%2', time, formatDuration(expected))}
    </span>
  );
}

/** Beside the state: how far a running step is; else what a run would do, and why. */
function StepNote(props: { step: Step; stepRun: StepRun | null }): React.ReactElement | null {
  const { step, stepRun } = props;
  const trans = useTrans();
  const { model } = useNotebook();
  if (stepRun?.status === 'running' && stepRun.progress) {
    const { cell, cells } = stepRun.progress;
    return <span>{trans.__('cell %1 of %2', Math.min(cell + 1, cells), cells)}</span>;
  }
  if (stepRun?.error) {
    return (
      <span title={stepRun.error.message}>{lastLine(withoutAnsi(stepRun.error.message))}</span>
    );
  }
  if (stepRun || model.selectedRun) {
    return null;
  }
  const state = stepState(model, step);
  const error = state === 'failed' ? model.lastStepRun(step.name)?.error : null;
  if (error) {
    return <span title={error.message}>{lastLine(withoutAnsi(error.message))}</span>;
  }
  const words = step.decision === 'reuse' ? trans.__('up to date') : step.reasons[0]?.message;
  return (
    <>
      {state !== step.decision && step.decision !== 'reuse' ? (
        <span>{stateWord(trans, step.decision)}</span>
      ) : null}
      {words ? (
        <span title={words}>
          <Words text={words} />
        </span>
      ) : null}
    </>
  );
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
