/** Everything about one step, below its line in the list. */
import { Time } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { NoteIcon, UnitIcon } from '../../components/icons';
import { useFetched } from '../../components/fetched';
import { CellLink } from '../../components/message';
import { PreviewView } from '../../components/preview';
import { RenderedMarkdown } from '../../components/rendered';
import { Words } from '../../components/words';
import { affectedBy, forecast, forecastSentence, neededFor } from '../../forecast';
import { textAbove } from '../../groups';
import { withoutAnsi } from '../../log';
import { roleWord, stateWord } from '../../state';
import {
  CommandIDs,
  type Decision,
  type JSONValue,
  type Output,
  type Step,
  type StepError,
  type StepRun,
  type Unit
} from '../../tokens';
import { formatDuration, formatNumber, formatSize, formatValue } from '../../units';
import { inputsOf, valuesOf, type Input, type Value } from '../../values';
import { StatisticsView, StepAnomalies, useOpenData } from '../statistics';
import { Executed, wasExecuted } from './executed';
import { StepFactsView } from './facts';
import { Log } from './log';
import { LoggedView } from './logged';

interface StepDetailProps {
  id: string;
  step: Step;
  /** The step in the run that is shown, or null. */
  stepRun: StepRun | null;
}

export function StepDetail({ id, step, stepRun }: StepDetailProps): React.ReactElement {
  const trans = useTrans();
  const notebook = useNotebook();
  const { model } = notebook;
  const runId = stepRun ? (model.shownRun?.run_id ?? null) : (step.last?.run_id ?? null);
  const past = stepRun ?? findStep(model.pastRun(runId)?.steps, step.name);
  const { reasons, warnings } = stepRun ?? step;
  const log = past && runId ? <Log key={`log ${runId}`} stepRun={past} runId={runId} /> : null;
  const waysOn = <WaysOn step={step} stepRun={past} runId={past ? runId : null} />;
  // What it writes now, or wrote before it broke off, is what one wants to see first.
  const isTold = past?.status === 'running' || past?.status === 'failed';

  return (
    <div id={id} className="jp-Pipelines-detail">
      <Description step={step} />
      <StepButtons step={step} stepRun={past} runId={past ? runId : null} />
      {step.unit ? <UnitLine unit={step.unit} step={step.name} /> : null}
      {past?.error ? <StepErrorView error={past.error}>{waysOn}</StepErrorView> : waysOn}
      {isTold ? log : null}
      {reasons.length > 0 ? (
        <Part title={stepRun ? trans.__('Why it ran or not') : trans.__('What a run would do')}>
          {stepRun ? null : <p>{decisionSentence(trans, step.decision)}</p>}
          <ul className="jp-Pipelines-reasons">
            {reasons.map((reason, index) => (
              <li key={index}>
                <Words text={reason.message} />
              </li>
            ))}
          </ul>
        </Part>
      ) : null}
      {warnings?.map(warning => (
        <p key={warning.kind} className="jp-Pipelines-note">
          <Words text={warning.message} />
        </p>
      ))}
      <StepAnomalies step={step.name} runId={runId} anomalies={past?.anomalies ?? []} />
      <Metrics metrics={past?.metrics ?? {}} />
      {past && runId ? (
        <>
          <LoggedView key={`logged ${runId}`} stepRun={past} runId={runId} />
          <Executed step={step} stepRun={past} runId={runId} />
        </>
      ) : null}
      <Inputs step={step} />
      <Outputs step={step} stepRun={past} runId={runId} />
      <Lineage step={step} />
      <Facts step={step} />
      {past && runId ? (
        <>
          {isTold ? null : log}
          <StepFactsView key={`facts ${runId}`} step={step.name} runId={runId} />
        </>
      ) : null}
      {step.last?.finished_at && !stepRun ? (
        <p className="jp-Pipelines-note">
          {trans.__(
            'Last: %1, %2',
            stateWord(trans, step.last.status),
            Time.formatHuman(new Date(step.last.finished_at))
          )}
        </p>
      ) : null}
    </div>
  );
}

function decisionSentence(trans: TranslationBundle, decision: Decision): string {
  switch (decision) {
    case 'reuse':
      return trans.__('Reuse the stored result:');
    case 'run':
      return trans.__('Run it:');
    case 'undecided':
      return trans.__('Decided once what it waits for has ended:');
  }
}

/** Title and text from the markdown above the step. */
function Description({ step }: { step: Step }): React.ReactElement | null {
  const { model } = useNotebook();
  const text = textAbove(model.content(), step);
  if (text.trim() !== '') {
    return <RenderedMarkdown text={text} />;
  }
  return step.title && step.title.toLowerCase() !== step.name ? (
    <p className="jp-Pipelines-stepTitle">{step.title}</p>
  ) : null;
}

interface StepButtonsProps {
  step: Step;
  stepRun: StepRun | null;
  runId: string | null;
}

function StepButtons(props: StepButtonsProps): React.ReactElement {
  const { step, stepRun, runId } = props;
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  const { pipeline } = notebook.model;
  const what = (force: boolean): string =>
    pipeline ? forecastSentence(trans, forecast(pipeline, step.name, force)) : '';
  return (
    <div className="jp-Pipelines-buttons">
      <button
        className="jp-Pipelines-smallButton"
        disabled={notebook.model.isRunning}
        title={trans.__('Run this step even if nothing has changed: %1', what(true))}
        onClick={() => void actions.commands.execute(CommandIDs.runStepAgain, { step: step.name })}
      >
        {trans.__('Run only this')}
      </button>
      <button
        className="jp-Pipelines-smallButton"
        disabled={notebook.model.isRunning}
        title={trans.__('Run this step and what it needs: %1', what(false))}
        onClick={() => void actions.commands.execute(CommandIDs.runToStep, { step: step.name })}
      >
        {trans.__('Run to here')}
      </button>
      <button
        className="jp-Pipelines-smallButton"
        onClick={() => actions.revealStep(notebook, step.name)}
      >
        {trans._n('Show cell', 'Show %1 cells', step.cells.length)}
      </button>
      {runId && stepRun && wasExecuted(stepRun) ? (
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Open the notebook that was executed for this step')}
          onClick={() => actions.openRun(notebook, runId, step.name)}
        >
          {trans.__('Executed notebook')}
        </button>
      ) : null}
    </div>
  );
}

/** What can be done where a step did not come to its end. */
function WaysOn(props: {
  step: Step;
  stepRun: StepRun | null;
  runId: string | null;
}): React.ReactElement | null {
  const { step, stepRun, runId } = props;
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  const { failedRun } = notebook.model;
  if (!runId || !stepRun || !isCutShort(stepRun)) {
    return null;
  }
  return (
    <div className="jp-Pipelines-buttons">
      {failedRun?.run_id === runId ? (
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Run what did not come to its end, with the notebook as it is now')}
          onClick={() => void actions.commands.execute(CommandIDs.retry)}
        >
          {trans.__('Retry from here')}
        </button>
      ) : null}
      {stepRun.status === 'failed' ? (
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Open this step as a notebook, with what it reads already loaded')}
          onClick={() =>
            void actions.commands.execute(CommandIDs.openStepAsNotebook, {
              path: notebook.model.path,
              runId,
              step: step.name
            })
          }
        >
          {trans.__('Debug as notebook')}
        </button>
      ) : null}
    </div>
  );
}

function isCutShort({ status }: StepRun): boolean {
  return status === 'failed' || status === 'cancelled' || status === 'interrupted';
}

function Part(props: { title: string; children: React.ReactNode }): React.ReactElement {
  return (
    <div className="jp-Pipelines-part">
      <h4>{props.title}</h4>
      {props.children}
    </div>
  );
}

/** Why the step has no kernel of its own, with ways to those it shares it with. */
function UnitLine({ unit, step }: { unit: Unit; step: string }): React.ReactElement {
  const trans = useTrans();
  const others = unit.steps
    .filter(name => name !== step)
    .map(name => <StepLink key={name} name={name} />);
  const names = unit.names.map(name => <code key={name}>{name}</code>);
  // The sentence is translated with its gaps, which are filled with elements then.
  const sentence = trans.__('Runs in one kernel with %1: %2 cannot be stored', '%1', '%2');
  return (
    <p className="jp-Pipelines-unit">
      <UnitIcon />
      <span>
        {sentence
          .split(/(%[12])/)
          .map(part =>
            part === '%1' ? join(others, ', ') : part === '%2' ? join(names, ', ') : part
          )
          .map((part, index) => (
            <React.Fragment key={index}>{part}</React.Fragment>
          ))}
      </span>
    </p>
  );
}

function StepLink({ name }: { name: string }): React.ReactElement {
  const notebook = useNotebook();
  const actions = useActions();
  return (
    <button className="jp-Pipelines-link" onClick={() => actions.revealStep(notebook, name)}>
      {name}
    </button>
  );
}

/** Parts of a line with `between` between them; those that are nothing are left out. */
function join(parts: React.ReactNode[], between: string): React.ReactNode {
  return parts.filter(Boolean).map((part, index) => (
    <React.Fragment key={index}>
      {index > 0 ? between : null}
      {part}
    </React.Fragment>
  ));
}

/** What the step reads of others, and how it was when they left it. */
function Inputs({ step }: { step: Step }): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  const inputs = inputsOf(step, model.drawn?.edges ?? []);
  if (inputs.length === 0) {
    return null;
  }
  return (
    <Part title={trans.__('Inputs')}>
      <table>
        <tbody>
          {inputs.map(input => (
            <InputRow
              key={`${input.step}.${input.name}`}
              input={input}
              value={valuesOf(model.lastStepRun(input.step)).get(input.name) ?? null}
            />
          ))}
        </tbody>
      </table>
      {inputs.some(input => input.learned) ? (
        <p className="jp-Pipelines-small">
          {trans.__('Learned: seen while the step ran, not in its code.')}
        </p>
      ) : null}
    </Part>
  );
}

function InputRow(props: { input: Input; value: Value | null }): React.ReactElement {
  const { input, value } = props;
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  return (
    <tr>
      <th scope="row">
        {input.name ? <code>{input.name}</code> : trans.__('order alone')}{' '}
        <button
          className="jp-Pipelines-link"
          aria-label={trans.__('from step %1', input.step)}
          onClick={() => actions.revealStep(notebook, input.step)}
        >
          {`← ${input.step}`}
        </button>
      </th>
      <td title={value?.type}>
        {join(
          [
            value ? describe(value) : '',
            input.learned ? (
              <span
                className="jp-Pipelines-learned"
                title={trans.__('Seen while the step ran, not in its code')}
              >
                {trans.__('learned')}
              </span>
            ) : null
          ],
          ' · '
        )}
      </td>
      <td className="jp-Pipelines-number">{value ? sizeOf(value) : ''}</td>
    </tr>
  );
}

/** What the step leaves: as it was when it ended, or as its code says. */
function Outputs(props: {
  step: Step;
  stepRun: StepRun | null;
  runId: string | null;
}): React.ReactElement | null {
  const { step, stepRun, runId } = props;
  const trans = useTrans();
  const values = valuesOf(stepRun);
  const names = [...new Set([...step.outputs, ...values.keys()])];
  if (names.length === 0) {
    return null;
  }
  return (
    <Part title={trans.__('Outputs')}>
      <table>
        <tbody>
          {names.map(name => (
            <OutputRow
              key={name}
              name={name}
              step={step.name}
              value={values.get(name) ?? null}
              stored={stepRun?.outputs.find(output => output.name === name) ?? null}
              runId={runId}
              findings={
                (stepRun?.anomalies ?? []).filter(anomaly => anomaly.output === name).length
              }
              isShared={step.unit?.names.includes(name) ?? false}
            />
          ))}
        </tbody>
      </table>
    </Part>
  );
}

interface OutputRowProps {
  name: string;
  step: string;
  value: Value | null;
  /** The value in the store; null where it is not there. */
  stored: Output | null;
  runId: string | null;
  /** How many anomalies it has. */
  findings: number;
  /** Whether it is what the steps of a unit share: that it cannot be stored is in order then. */
  isShared: boolean;
}

function OutputRow(props: OutputRowProps): React.ReactElement {
  const { name, value, stored, isShared } = props;
  const trans = useTrans();
  const id = React.useId();
  const [isOpen, setOpen] = React.useState(false);
  const hasWarning = value !== null && !value.carriable && !isShared;
  const canOpen = stored !== null && value?.kept !== false;
  return (
    <>
      <tr>
        <th scope="row">
          {canOpen ? (
            <button
              className="jp-Pipelines-link"
              aria-expanded={isOpen}
              aria-controls={isOpen ? id : undefined}
              title={trans.__('Show what it holds')}
              onClick={() => setOpen(!isOpen)}
            >
              <code>{name}</code>
            </button>
          ) : (
            <code>{name}</code>
          )}
        </th>
        <td title={value?.type}>
          {value ? describe(value) : ''}
          {value?.kept && value.materializer ? (
            // With the sign before it: where there is no room for the word, there is none for the sign.
            <span
              className="jp-Pipelines-materializer jp-Pipelines-wideOnly"
              title={trans.__('Stored by the materializer `%1`', value.materializer)}
            >
              {` · ${value.materializer}`}
            </span>
          ) : null}
        </td>
        <td className="jp-Pipelines-number">{value ? sizeOf(value) : ''}</td>
      </tr>
      {value && !value.kept ? (
        <tr className="jp-Pipelines-verdict">
          <td colSpan={3}>
            <p className="jp-Pipelines-small" title={value.message}>
              {hasWarning ? <NoteIcon /> : null}
              <span>
                <Words text={verdictSentence(value)} />
              </span>
            </p>
          </td>
        </tr>
      ) : null}
      {isOpen && stored ? (
        <tr className="jp-Pipelines-verdict" id={id}>
          <td colSpan={3}>
            <OutputPreview {...props} stored={stored} />
          </td>
        </tr>
      ) : null}
    </>
  );

  function verdictSentence({ carriable, message }: Value): string {
    if (isShared) {
      return trans.__('not stored (the steps that read it share its kernel)');
    }
    return carriable ? trans.__('not stored (no step reads it)') : message;
  }
}

/** What a stored value holds, and the way to it from the notebook's kernel. */
function OutputPreview(props: OutputRowProps & { stored: Output }): React.ReactElement {
  const { name, step, stored, runId, findings } = props;
  const trans = useTrans();
  const actions = useActions();
  const openData = useOpenData();
  const { model } = useNotebook();
  const { value, error } = useFetched(stored.digest, () =>
    model.client.preview(model.path, stored.digest)
  );
  return (
    <div className="jp-Pipelines-preview">
      {runId ? (
        <StatisticsView table={`${step}.${name}`} runId={runId} findings={findings} />
      ) : null}
      {value ? <PreviewView content={value.preview} /> : <p>{error || trans.__('Loading…')}</p>}
      {runId ? (
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Show it with its statistics in the main area')}
          onClick={() => openData(runId, `${step}.${name}`)}
        >
          {trans.__('Open in tab')}
        </button>
      ) : null}
      {stored.gone ? (
        <p className="jp-Pipelines-small">{trans.__('Not in the store: it %1.', stored.gone)}</p>
      ) : runId ? (
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Make `%1` a variable of the notebook’s kernel, as it was then', name)}
          onClick={() =>
            void actions.commands.execute(CommandIDs.loadIntoKernel, {
              path: model.path,
              runId,
              step,
              name
            })
          }
        >
          {trans.__('Load into kernel')}
        </button>
      ) : null}
    </div>
  );
}

/** What the step has measured. */
function Metrics(props: { metrics: { [name: string]: JSONValue } }): React.ReactElement | null {
  const trans = useTrans();
  const numbers = Object.entries(props.metrics).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number'
  );
  return numbers.length > 0 ? (
    <Part title={trans.__('Metrics')}>
      <dl className="jp-Pipelines-metrics">
        {numbers.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={String(value)}>{formatNumber(value)}</dd>
          </div>
        ))}
      </dl>
    </Part>
  ) : null;
}

/** What the step comes from, and what comes from it, near and far. */
function Lineage({ step }: { step: Step }): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  const edges = model.drawn?.edges ?? [];
  const names = model.drawn?.steps.map(({ name }) => name) ?? [];
  const inOrder = (found: Set<string>): React.ReactNode[] =>
    names
      .filter(name => found.has(name) && name !== step.name)
      .map(name => <StepLink key={name} name={name} />);
  const above = inOrder(neededFor(step.name, edges));
  const below = inOrder(affectedBy(step.name, edges));
  return above.length + below.length > 0 ? (
    <details className="jp-Pipelines-part">
      <summary>{trans.__('Lineage: %1 above, %2 below', above.length, below.length)}</summary>
      {above.length > 0 ? (
        <p>
          {trans.__('Comes from')} {join(above, ', ')}
        </p>
      ) : null}
      {below.length > 0 ? (
        <p>
          {trans.__('Goes into')} {join(below, ', ')}
        </p>
      ) : null}
    </details>
  ) : null;
}

function describe({ type, summary }: Value): string {
  return [shortType(type), formatValue(summary)].filter(Boolean).join(' · ');
}

function sizeOf({ size_bytes: bytes }: Value): string {
  return bytes ? formatSize(bytes) : '';
}

/** What is not as for any step. */
function Facts({ step }: { step: Step }): React.ReactElement | null {
  const trans = useTrans();
  const facts: [string, string][] = [];
  if (step.role) {
    facts.push([trans.__('Role'), roleWord(trans, step.role)]);
  }
  if (step.cache !== 'on') {
    facts.push([trans.__('Cache'), step.cache]);
  }
  if (step.after.length > 0) {
    facts.push([trans.__('After'), step.after.join(', ')]);
  }
  if (step.parameters.length > 0) {
    facts.push([trans.__('Parameters'), step.parameters.join(', ')]);
  }
  if (step.kernel) {
    facts.push([trans.__('Kernel'), step.kernel]);
  }
  if (step.retries > 0) {
    facts.push([trans.__('Retries'), String(step.retries)]);
  }
  if (step.timeout_seconds !== null) {
    facts.push([trans.__('Timeout'), formatDuration(step.timeout_seconds)]);
  }
  const { cpu, memory, gpu } = step.resources;
  const resources = [
    cpu ? trans._n('%1 core', '%1 cores', Number(cpu)) : '',
    memory ? trans.__('%1 of memory', memory) : '',
    gpu ? trans._n('%1 GPU', '%1 GPUs', Number(gpu)) : ''
  ].filter(Boolean);
  if (resources.length > 0) {
    facts.push([trans.__('In production'), resources.join(', ')]);
  }
  return facts.length > 0 ? (
    <dl className="jp-Pipelines-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  ) : null;
}

function StepErrorView(props: { error: StepError; children: React.ReactNode }): React.ReactElement {
  const { error, children } = props;
  const trans = useTrans();
  const traceback = Array.isArray(error.traceback) ? error.traceback.join('\n') : error.traceback;
  return (
    <div className="jp-Pipelines-message" data-kind="error" role="alert">
      <div className="jp-Pipelines-messageBody">
        <p>{withoutAnsi(error.message)}</p>
        {error.cell_index !== null ? <CellLink index={error.cell_index} /> : null}
        {children}
        {traceback ? (
          <details>
            <summary>{trans.__('Traceback')}</summary>
            <pre tabIndex={0}>{withoutAnsi(traceback)}</pre>
          </details>
        ) : null}
      </div>
    </div>
  );
}

function findStep(steps: StepRun[] | undefined, name: string): StepRun | null {
  return steps?.find(step => step.name === name) ?? null;
}

/** `pandas.DataFrame` → `DataFrame`. */
function shortType(type: string): string {
  return type.split('.').at(-1) ?? type;
}
