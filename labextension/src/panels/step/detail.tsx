/** Everything about one step, below its line in the list. */
import { Time } from '@jupyterlab/coreutils';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { CellLink } from '../../components/message';
import { roleWord, stateWord } from '../../state';
import { CommandIDs, type Output, type Step, type StepError, type StepRun } from '../../tokens';
import { formatSize } from '../../units';

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
  const reasons = stepRun ? stepRun.reasons : step.reasons;

  return (
    <div id={id} className="jp-Pipelines-detail">
      {step.title && step.title.toLowerCase() !== step.name ? (
        <p className="jp-Pipelines-stepTitle">{step.title}</p>
      ) : null}
      <StepButtons step={step} runId={past ? runId : null} />
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
      {step.inputs.length > 0 ? (
        <Part title={trans.__('Inputs')}>
          <table>
            <tbody>
              {step.inputs.map(input => (
                <NameRow
                  key={`${input.step}.${input.name}`}
                  name={input.name}
                  from={input.step}
                  output={findOutput(model.outputsOf(input.step), input.name)}
                />
              ))}
            </tbody>
          </table>
        </Part>
      ) : null}
      <Outputs step={step} outputs={past?.outputs ?? []} />
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

/** What the step leaves: as it was measured when it ran, or as its code says. */
function Outputs(props: { step: Step; outputs: Output[] }): React.ReactElement | null {
  const { step, outputs } = props;
  const trans = useTrans();
  const measured = new Map(outputs.map(output => [output.name, output]));
  const names = [...new Set([...step.outputs, ...measured.keys()])];
  if (names.length === 0) {
    return null;
  }
  return (
    <Part title={trans.__('Outputs')}>
      <table>
        <tbody>
          {names.map(name => (
            <NameRow key={name} name={name} output={measured.get(name) ?? null} />
          ))}
        </tbody>
      </table>
    </Part>
  );
}

interface NameRowProps {
  name: string;
  from?: string;
  output: Output | null;
}

function NameRow({ name, from, output }: NameRowProps): React.ReactElement {
  const trans = useTrans();
  const notebook = useNotebook();
  const actions = useActions();
  return (
    <tr>
      <th scope="row">
        <code>{name}</code>
        {from ? (
          <>
            {' '}
            <button
              className="jp-Pipelines-link"
              aria-label={trans.__('from step %1', from)}
              onClick={() => actions.revealStep(notebook, from)}
            >
              {`← ${from}`}
            </button>
          </>
        ) : null}
      </th>
      <td title={output?.type}>
        {output ? [shortType(output.type), output.summary].filter(Boolean).join(' · ') : ''}
      </td>
      <td className="jp-Pipelines-number">
        {output && output.size_bytes > 0 ? formatSize(output.size_bytes) : ''}
      </td>
    </tr>
  );
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

function findOutput(outputs: Output[], name: string): Output | null {
  return outputs.find(output => output.name === name) ?? null;
}

/** `pandas.DataFrame` → `DataFrame`. */
function shortType(type: string): string {
  return type.split('.').at(-1) ?? type;
}

/** Text without the escape sequences by which terminals are coloured. */
export function withoutAnsi(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '');
}
