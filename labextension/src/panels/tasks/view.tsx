/** A task in the main area: what is to be done, how far it is, and what came of it. */
import { PathExt } from '@jupyterlab/coreutils';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { PipelinesClient, TaskRequest } from '../../client';
import { useTrans } from '../../components/context';
import { LogLines } from '../../components/logLines';
import { Message } from '../../components/message';
import { useNow } from '../../components/now';
import { State } from '../../components/state';
import { Words } from '../../components/words';
import { ResponseError } from '../../request';
import { stateWord } from '../../state';
import type { GcResult, NotebookContent, Parameters, Task, TaskKind } from '../../tokens';
import { formatDuration } from '../../units';
import { ExportForm } from './exportForm';
import { Result } from './results';

const POLL_MS = 700;

export interface TaskViewProps {
  client: PipelinesClient;
  commands: CommandRegistry;
  kind: TaskKind;
  /** The notebook. */
  path: string;
  /** The task that is shown; null: it has not begun. */
  taskId: string | null;
  /** The document as it is in the editor, and the parameters typed in the panel, if it is open. */
  document(): { content: NotebookContent; parameters: Parameters } | null;
  /** Another task is shown from now on; null: the form again. */
  onTask(taskId: string | null): void;
  revealStep(name: string): void;
}

export default function TaskView(props: TaskViewProps): React.ReactElement {
  const { client, kind, path, taskId } = props;
  const trans = useTrans();
  const { task, error } = useTask(client, path, taskId);
  const [problem, setProblem] = React.useState('');
  const start = async (said: Pick<TaskRequest, 'folder' | 'arguments'> = {}): Promise<void> => {
    const document = props.document();
    setProblem('');
    try {
      props.onTask(
        await client.startTask({
          kind,
          path,
          folder: said.folder,
          ...(document ? { content: document.content } : {}),
          arguments: { ...(document ? { parameters: document.parameters } : {}), ...said.arguments }
        })
      );
    } catch (reason) {
      setProblem(reason instanceof Error ? reason.message : String(reason));
    }
  };
  React.useEffect(() => {
    // What needs no form begins at once.
    if (taskId === null && needsNoForm(kind)) {
      void start();
    }
  }, []);

  const name = PathExt.basename(path, '.ipynb');
  return (
    <div className="jp-Pipelines-task" role="region" aria-label={titleOf(kind, name)}>
      <h1>{titleOf(kind, name)}</h1>
      {problem || error ? (
        <Message kind="error">
          <p>
            <Words text={problem || error} />
          </p>
        </Message>
      ) : null}
      {kind === 'export' ? (
        <ExportForm
          client={client}
          path={path}
          isRunning={task?.status === 'running'}
          onStart={said => void start(said)}
        />
      ) : null}
      {kind === 'import' ? (
        <ImportForm path={path} isRunning={task?.status === 'running'} onStart={start} />
      ) : null}
      {kind === 'gc' ? <ReclaimForm task={task} onStart={said => void start(said)} /> : null}
      {needsNoForm(kind) && taskId !== null && (error || (task && task.status !== 'running')) ? (
        <div className="jp-Pipelines-buttons">
          <button className="jp-Pipelines-button" onClick={() => void start()}>
            {trans.__('Begin again')}
          </button>
        </div>
      ) : null}
      {task ? (
        <>
          <TaskProgress task={task} onCancel={() => void client.cancelTask(task.task_id)} />
          {task.error ? (
            <Message kind="error">
              <p>
                <Words text={task.error.message} />
              </p>
            </Message>
          ) : null}
          <Result task={task} {...props} />
          {task.log || task.status === 'running' ? (
            <details open={task.status === 'running' || task.status === 'failed'}>
              <summary>{trans.__('Log')}</summary>
              <LogLines text={task.log} isGrowing={task.status === 'running'} />
            </details>
          ) : null}
        </>
      ) : null}
    </div>
  );

  function titleOf(kind: TaskKind, name: string): string {
    switch (kind) {
      case 'export':
        return trans.__('Export %1 as a production pipeline', name);
      case 'verify':
        return trans.__('Does %1 give the same again?', name);
      case 'import':
        return trans.__('Import a run of an exported pipeline');
      case 'doctor':
        return trans.__('Is the installation in order?');
      case 'check':
        return trans.__('Is the store whole?');
      case 'gc':
        return trans.__('Reclaim space of the store');
    }
  }
}

/** Tasks that begin as soon as they are opened. */
function needsNoForm(kind: TaskKind): boolean {
  return kind === 'verify' || kind === 'doctor' || kind === 'check';
}

/** What is known of a task; asked for again and again until it has ended. */
function useTask(
  client: PipelinesClient,
  path: string,
  taskId: string | null
): { task: Task | null; error: string } {
  const trans = useTrans();
  const [answer, setAnswer] = React.useState<{ task: Task | null; error: string }>({
    task: null,
    error: ''
  });
  React.useEffect(() => {
    if (taskId === null) {
      setAnswer({ task: null, error: '' });
      return;
    }
    let timer: ReturnType<typeof setTimeout>;
    let isWanted = true;
    const ask = async (): Promise<void> => {
      let isGoingOn = true;
      try {
        const task = await client.task(path, taskId);
        isGoingOn = task.status === 'running';
        if (isWanted) {
          setAnswer({ task, error: '' });
        }
      } catch (error) {
        // Out of reach for the moment; or the server is another one, which does not know it.
        isGoingOn = !(error instanceof ResponseError);
        if (isWanted && error instanceof ResponseError) {
          setAnswer({ task: null, error: error.message });
        } else if (isWanted) {
          setAnswer(({ task }) => ({ task, error: trans.__('The server does not answer.') }));
        }
      }
      if (isWanted && isGoingOn) {
        timer = setTimeout(() => void ask(), POLL_MS);
      }
    };
    void ask();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [client, path, taskId]);
  return answer;
}

function TaskProgress(props: { task: Task; onCancel(): void }): React.ReactElement {
  const { task, onCancel } = props;
  const trans = useTrans();
  const isRunning = task.status === 'running';
  const isTold = isRunning || task.status !== 'succeeded';
  const now = useNow(isRunning);
  const seconds = Math.max(0, Math.round((now - Date.parse(task.created_at)) / 1000));
  return (
    <p className="jp-Pipelines-taskState" role="status">
      {isTold ? <State state={task.status} /> : null}
      {isRunning ? (
        <>
          <span>{formatDuration(seconds)}</span>
          <LastNews events={task.events} />
          <button className="jp-Pipelines-smallButton" onClick={onCancel}>
            {trans.__('Cancel')}
          </button>
        </>
      ) : null}
    </p>
  );
}

/** Which step was heard of last. */
function LastNews({ events }: { events: unknown[] }): React.ReactElement | null {
  const trans = useTrans();
  const last = events.at(-1) as { step?: string; name?: string; status?: string } | undefined;
  const step = last?.step ?? last?.name;
  return step && last?.status ? (
    <span>{`${step}: ${stateWord(trans, last.status as never) ?? last.status}`}</span>
  ) : null;
}

function ImportForm(props: {
  path: string;
  isRunning: boolean;
  onStart(said: { folder: string }): Promise<void>;
}): React.ReactElement {
  const trans = useTrans();
  const id = React.useId();
  const [folder, setFolder] = React.useState('');
  return (
    <form
      className="jp-Pipelines-form"
      onSubmit={event => {
        event.preventDefault();
        void props.onStart({ folder });
      }}
    >
      <label htmlFor={id}>{trans.__('Folder')}</label>
      <input
        id={id}
        type="text"
        required
        spellCheck={false}
        placeholder={trans.__('flights-pipeline/artifacts')}
        value={folder}
        onChange={event => setFolder(event.target.value)}
      />
      <p className="jp-Pipelines-note">
        {trans.__(
          'The folder of a run’s artifacts, below the server’s root. The run is in the history of %1 then.',
          PathExt.basename(props.path)
        )}
      </p>
      <div className="jp-Pipelines-buttons">
        <button
          type="submit"
          className="jp-Pipelines-button jp-mod-primary"
          disabled={props.isRunning || folder.trim() === ''}
        >
          {trans.__('Import')}
        </button>
      </div>
    </form>
  );
}

const DAY_SECONDS = 24 * 60 * 60;
const AGES_IN_DAYS = [0, 1, 7, 30, 90];
const USUAL_AGE_DAYS = 30;

/** How old what may go has to be; first it is told what would go. */
function ReclaimForm(props: {
  task: Task | null;
  onStart(said: Pick<TaskRequest, 'arguments'>): void;
}): React.ReactElement {
  const { task, onStart } = props;
  const trans = useTrans();
  const id = React.useId();
  const [days, setDays] = React.useState(USUAL_AGE_DAYS);
  const ask = (age: number, dry_run: boolean): void =>
    onStart({ arguments: { dry_run, older_than_seconds: age * DAY_SECONDS } });
  React.useEffect(() => {
    if (task === null) {
      ask(days, true);
    }
  }, []);
  const told = task?.result as GcResult | null | undefined;
  return (
    <>
      <p className="jp-Pipelines-note">
        {trans.__(
          'Stored results that no run has used for long can go: a step that needs them is run again. What runs with a tag need stays, and so does the history.'
        )}
      </p>
      <div className="jp-Pipelines-buttons">
        <label htmlFor={id}>{trans.__('Not used for')}</label>
        <select
          id={id}
          value={days}
          onChange={event => {
            setDays(Number(event.target.value));
            ask(Number(event.target.value), true);
          }}
        >
          {AGES_IN_DAYS.map(age => (
            <option key={age} value={age}>
              {age === 0 ? trans.__('any time') : trans._n('%1 day', '%1 days', age)}
            </option>
          ))}
        </select>
        <button
          className="jp-Pipelines-button jp-mod-primary"
          disabled={!told?.dry_run || told.files === 0}
          onClick={() => ask(days, false)}
        >
          {trans.__('Reclaim')}
        </button>
      </div>
    </>
  );
}
