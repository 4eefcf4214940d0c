/** What came of a task, for each kind of them. */
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useTrans } from '../../components/context';
import { StateIcon } from '../../components/icons';
import { Words } from '../../components/words';
import type { StepState } from '../../state';
import {
  CommandIDs,
  type DoctorResult,
  type ExportResult,
  type GcResult,
  type Run,
  type StepVerdict,
  type StoreCheckResult,
  type Task,
  type VerifyResult
} from '../../tokens';
import { formatDuration, formatSize } from '../../units';
import type { TaskViewProps } from './view';

interface ResultProps extends TaskViewProps {
  task: Task;
}

export function Result(props: ResultProps): React.ReactElement | null {
  const { task } = props;
  if (task.kind === 'verify') {
    // Verdicts are told one by one, before there is a result.
    const result = task.result as VerifyResult | null;
    return <Verdicts {...props} steps={result?.steps ?? (task.events as StepVerdict[])} />;
  }
  if (task.result === null) {
    return null;
  }
  switch (task.kind) {
    case 'export':
      return <Exported {...props} result={task.result as ExportResult} />;
    case 'import':
      return <Imported {...props} run={task.result as Run} />;
    case 'doctor':
      return <Findings result={task.result as DoctorResult} />;
    case 'check':
      return <StoreFindings result={task.result as StoreCheckResult} />;
    case 'gc':
      return <Reclaimed result={task.result as GcResult} />;
  }
}

/** One line with a drawing before it. */
function Line(props: { state: StepState; children: React.ReactNode }): React.ReactElement {
  return (
    <li data-state={props.state}>
      <StateIcon state={props.state} />
      <div>{props.children}</div>
    </li>
  );
}

const VERDICT_STATES: { [status in StepVerdict['status']]: StepState } = {
  equal: 'succeeded',
  different: 'interrupted',
  failed: 'failed',
  not_verified: 'skipped'
};

function verdictWord(trans: TranslationBundle, status: StepVerdict['status']): string {
  switch (status) {
    case 'equal':
      return trans.__('gives the same again');
    case 'different':
      return trans.__('gives something else');
    case 'failed':
      return trans.__('fails when it runs again');
    case 'not_verified':
      return trans.__('not verified');
  }
}

function Verdicts(props: ResultProps & { steps: StepVerdict[] }): React.ReactElement {
  const { steps, task, revealStep } = props;
  const trans = useTrans();
  const others = steps.filter(({ status }) => status === 'different' || status === 'failed').length;
  return (
    <>
      {task.result ? (
        <p>
          {others > 0
            ? trans._n(
                '%1 step does not give the same when it is executed again: what is reused of it is one of several answers.',
                '%1 steps do not give the same when they are executed again: what is reused of them is one of several answers.',
                others
              )
            : trans.__('Whatever is reused is what Run All would give now.')}
        </p>
      ) : (
        <p className="jp-Pipelines-note">
          {trans.__(
            'Every step that would be reused is executed again in a scratch place, from its stored inputs. Nothing of yours is changed.'
          )}
        </p>
      )}
      <ul className="jp-Pipelines-findings">
        {steps.map(step => (
          <Line key={step.name} state={VERDICT_STATES[step.status]}>
            <p>
              <button className="jp-Pipelines-link" onClick={() => revealStep(step.name)}>
                {step.name}
              </button>{' '}
              {verdictWord(trans, step.status)}
              {step.duration_seconds !== null ? (
                <span className="jp-Pipelines-note"> {formatDuration(step.duration_seconds)}</span>
              ) : null}
            </p>
            {step.differences.map(({ message }) => (
              <p key={message} className="jp-Pipelines-small">
                <Words text={message} />
              </p>
            ))}
            {step.differences.length === 0 && step.message ? (
              <p className="jp-Pipelines-small">
                <Words text={step.message} />
              </p>
            ) : null}
            {step.causes.length > 0 ? (
              <p className="jp-Pipelines-small">
                <Words
                  text={trans.__(
                    'Likely, since %1',
                    step.causes.map(cause => cause.message).join('; ')
                  )}
                />
              </p>
            ) : null}
          </Line>
        ))}
      </ul>
    </>
  );
}

function Exported(props: ResultProps & { result: ExportResult }): React.ReactElement {
  const { result, task, commands } = props;
  const trans = useTrans();
  const { gaps, notes, verification } = result;
  const folder = task.folder ?? '';
  const joined = result.steps.filter(step => step.why_joined.length > 0);
  const isDifferent = verification?.status === 'differs';
  return (
    <>
      <p>
        <Words
          text={trans._n(
            '`%2` for %3: %1 step, in the folder %4.',
            '`%2` for %3: %1 steps, in the folder %4.',
            result.steps.length,
            result.name,
            result.target,
            folder
          )}
        />
      </p>
      <div className="jp-Pipelines-buttons">
        <button
          className="jp-Pipelines-button"
          onClick={() => void commands.execute('docmanager:open', { path: `${folder}/README.md` })}
        >
          {trans.__('Open the README')}
        </button>
        {commands.hasCommand('filebrowser:go-to-path') ? (
          <button
            className="jp-Pipelines-button"
            onClick={() => {
              void commands.execute('filebrowser:go-to-path', { path: folder });
              void commands.execute('filebrowser:activate');
            }}
          >
            {trans.__('Show the folder')}
          </button>
        ) : null}
      </div>
      {verification ? (
        <>
          <h2>{trans.__('Verification')}</h2>
          <p>
            {isDifferent
              ? trans.__('Not all artifacts of the exported pipeline are those of the notebook.')
              : trans.__('Every artifact of the exported pipeline is that of the notebook.')}{' '}
            <span className="jp-Pipelines-note">
              {trans.__(
                'Installed in %1, run in %2.',
                formatDuration(verification.seconds.install),
                formatDuration(verification.seconds.run)
              )}
            </span>
          </p>
          <ul className="jp-Pipelines-findings">
            {verification.artifacts.map(({ artifact, status, message }) => (
              <Line key={artifact} state={artifactState(status)}>
                <p>
                  <code>{artifact}</code> {artifactWord(trans, status)}
                </p>
                {message ? (
                  <p className="jp-Pipelines-small">
                    <Words text={message} />
                  </p>
                ) : null}
              </Line>
            ))}
          </ul>
        </>
      ) : null}
      <Sentences title={trans.__('What the target cannot express')} sentences={gaps} />
      <Sentences title={trans.__('Notes')} sentences={notes} />
      <Sentences
        title={trans.__('Steps that became one function')}
        sentences={joined.map(
          step => `${step.steps.join(', ')} → ${step.name}: ${step.why_joined.join(' ')}`
        )}
      />
      <details>
        <summary>{trans._n('%1 file', '%1 files', result.files.length)}</summary>
        <ul className="jp-Pipelines-files">
          {result.files.map(file => (
            <li key={file}>
              <button
                className="jp-Pipelines-link"
                onClick={() =>
                  void commands.execute('docmanager:open', { path: PathExt.join(folder, file) })
                }
              >
                {file}
              </button>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function artifactWord(trans: TranslationBundle, status: string): string {
  switch (status) {
    case 'equal':
      return trans.__('is equal');
    case 'unsure':
      return trans.__('is not the same twice in the notebook either');
    case 'missing':
      return trans.__('is missing');
    default:
      return trans.__('differs');
  }
}

function artifactState(status: string): StepState {
  return status === 'equal' ? 'succeeded' : status === 'unsure' ? 'interrupted' : 'failed';
}

function Sentences(props: { title: string; sentences: string[] }): React.ReactElement | null {
  return props.sentences.length > 0 ? (
    <>
      <h2>{props.title}</h2>
      <ul className="jp-Pipelines-reasons">
        {props.sentences.map(sentence => (
          <li key={sentence}>
            <Words text={sentence} />
          </li>
        ))}
      </ul>
    </>
  ) : null;
}

function Imported(props: ResultProps & { run: Run }): React.ReactElement {
  const { run, commands, path } = props;
  const trans = useTrans();
  return (
    <>
      <p>{trans.__('Run %1 is in the history now.', run.run_id)}</p>
      <div className="jp-Pipelines-buttons">
        <button
          className="jp-Pipelines-button"
          onClick={() => void commands.execute(CommandIDs.openRun, { path, runId: run.run_id })}
        >
          {trans.__('Open the run’s notebook')}
        </button>
      </div>
    </>
  );
}

const LEVEL_STATES = { ok: 'succeeded', warning: 'interrupted', problem: 'failed' } as const;

function Findings({ result }: { result: DoctorResult }): React.ReactElement {
  const trans = useTrans();
  const bad = result.checks.filter(({ level }) => level !== 'ok').length;
  return (
    <>
      <p>
        {bad === 0
          ? trans.__('All is in order.')
          : trans._n('%1 thing is worth a look.', '%1 things are worth a look.', bad)}
      </p>
      <ul className="jp-Pipelines-findings">
        {result.checks.map(({ check, level, message, remedy }, at) => (
          <Line key={`${check} ${at}`} state={LEVEL_STATES[level]}>
            <p>
              <Words text={message} />
            </p>
            {remedy ? (
              <p>
                <code>{remedy}</code>
              </p>
            ) : null}
          </Line>
        ))}
      </ul>
    </>
  );
}

function StoreFindings({ result }: { result: StoreCheckResult }): React.ReactElement {
  const trans = useTrans();
  const stored = trans._n(
    '%1 file, %2.',
    '%1 files, %2.',
    result.files,
    formatSize(result.size_bytes)
  );
  const sentence = {
    clean: trans.__('The store is whole:'),
    repaired: trans.__('It was repaired, and is whole now:'),
    damaged: trans.__('The store is damaged, and cannot be repaired:')
  }[result.status];
  return (
    <>
      <p>{`${sentence} ${stored}`}</p>
      <ul className="jp-Pipelines-findings">
        {result.findings.map(({ message, is_repaired }, at) => (
          <Line key={at} state={is_repaired ? 'succeeded' : 'failed'}>
            <p>
              <Words text={message} />
            </p>
          </Line>
        ))}
      </ul>
    </>
  );
}

function Reclaimed({ result }: { result: GcResult }): React.ReactElement {
  const trans = useTrans();
  const size = formatSize(result.reclaimed_bytes);
  const kept = formatSize(result.kept_bytes);
  return (
    <p>
      {result.files === 0
        ? trans.__('There is nothing to reclaim; %1 stay.', kept)
        : result.dry_run
          ? trans.__('%1 can be reclaimed; %2 stay.', size, kept)
          : trans.__('%1 were reclaimed; %2 stay.', size, kept)}
    </p>
  );
}
