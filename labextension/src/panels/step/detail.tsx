/** Everything about one step, below its line in the list. */
import { Time } from '@jupyterlab/coreutils';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { NoteIcon, UnitIcon } from '../../components/icons';
import { CellLink } from '../../components/message';
import { roleWord, stateWord } from '../../state';
import { CommandIDs, type Step, type StepError, type StepRun, type Unit } from '../../tokens';
import { formatSize } from '../../units';
import { inputsOf, valuesOf, type Input, type Value } from '../../values';

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

  return (
    <div id={id} className="jp-Pipelines-detail">
      {step.title && step.title.toLowerCase() !== step.name ? (
        <p className="jp-Pipelines-stepTitle">{step.title}</p>
      ) : null}
      <StepButtons step={step} runId={past ? runId : null} />
      {step.unit ? <UnitLine unit={step.unit} step={step.name} /> : null}
      {past?.error ? <StepErrorView error={past.error} /> : null}
      {reasons.length > 0 ? (
        <Part title={stepRun ? trans.__('Why it ran or not') : trans.__('What a run would do')}>
          {stepRun ? null : <p>{stateWord(trans, step.decision)}</p>}
          <ul className="jp-Pipelines-reasons">
            {reasons.map((reason, index) => (
              <li key={index}>{reason.message}</li>
            ))}
          </ul>
        </Part>
      ) : null}
      {warnings?.map(warning => (
        <p key={warning.kind} className="jp-Pipelines-note">
          {warning.message}
        </p>
      ))}
      <Inputs step={step} />
      <Outputs step={step} values={valuesOf(past)} />
      <Facts step={step} />
      {past && runId ? (
        <Log key={`${runId} ${past.status}`} step={step.name} runId={runId} />
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

function StepButtons(props: { step: Step; runId: string | null }): React.ReactElement {
  const { step, runId } = props;
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  return (
    <div className="jp-Pipelines-buttons">
      <button
        className="jp-Pipelines-smallButton"
        disabled={notebook.model.isRunning}
        title={trans.__('Run this step and what it needs')}
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
      {runId ? (
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
function Outputs(props: { step: Step; values: Map<string, Value> }): React.ReactElement | null {
  const { step, values } = props;
  const trans = useTrans();
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
              value={values.get(name) ?? null}
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
  value: Value | null;
  /** Whether it is what the steps of a unit share: that it cannot be stored is in order then. */
  isShared: boolean;
}

function OutputRow({ name, value, isShared }: OutputRowProps): React.ReactElement {
  const trans = useTrans();
  const hasWarning = value !== null && !value.carriable && !isShared;
  return (
    <>
      <tr>
        <th scope="row">
          <code>{name}</code>
        </th>
        <td title={value?.type}>
          {join(
            [
              value ? describe(value) : '',
              value?.kept && value.materializer ? (
                <span
                  className="jp-Pipelines-materializer"
                  title={trans.__('Stored by the materializer `%1`', value.materializer)}
                >
                  {value.materializer}
                </span>
              ) : null
            ],
            ' · '
          )}
        </td>
        <td className="jp-Pipelines-number">{value ? sizeOf(value) : ''}</td>
      </tr>
      {value && !value.kept ? (
        <tr className="jp-Pipelines-verdict">
          <td colSpan={3}>
            <p className="jp-Pipelines-small" title={value.message}>
              {hasWarning ? <NoteIcon /> : null}
              <span>{verdictSentence(value)}</span>
            </p>
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

function describe({ type, summary }: Value): string {
  return [shortType(type), summary].filter(Boolean).join(' · ');
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

function StepErrorView({ error }: { error: StepError }): React.ReactElement {
  const trans = useTrans();
  const traceback = Array.isArray(error.traceback) ? error.traceback.join('\n') : error.traceback;
  return (
    <div className="jp-Pipelines-message" data-kind="error" role="alert">
      <div className="jp-Pipelines-messageBody">
        <p>{withoutAnsi(error.message)}</p>
        {error.cell_index !== null ? <CellLink index={error.cell_index} /> : null}
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

/** What the step wrote; fetched when it is asked for. */
function Log({ step, runId }: { step: string; runId: string }): React.ReactElement {
  const trans = useTrans();
  const { model } = useNotebook();
  const [text, setText] = React.useState<string | null>(null);
  const fetchLog = async (isOpen: boolean): Promise<void> => {
    if (isOpen && text === null) {
      try {
        setText(await model.client.stepLog(model.path, runId, step));
      } catch (error) {
        setText(error instanceof Error ? error.message : String(error));
      }
    }
  };
  return (
    <details onToggle={event => void fetchLog(event.currentTarget.open)}>
      <summary>{trans.__('Log')}</summary>
      <pre tabIndex={0}>
        {text === null ? trans.__('Loading…') : withoutAnsi(text) || trans.__('It wrote nothing.')}
      </pre>
    </details>
  );
}

function findStep(steps: StepRun[] | undefined, name: string): StepRun | null {
  return steps?.find(step => step.name === name) ?? null;
}

/** `pandas.DataFrame` → `DataFrame`. */
function shortType(type: string): string {
  return type.split('.').at(-1) ?? type;
}

/** Text without the escape sequences by which terminals are coloured. */
export function withoutAnsi(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '');
}
