/** The REST contract, one method for each question. */
import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';

import { request } from './request';
import { NAMESPACE } from './tokens';
import type {
  AnomalyName,
  ColumnDetail,
  ComparedRun,
  ExportTarget,
  FailingRows,
  Glance,
  HistoryQuery,
  JSONValue,
  LogPiece,
  Logged,
  NotebookContent,
  Parameters,
  Pipeline,
  Preview,
  Run,
  RunDiff,
  RunPage,
  SchemaFile,
  SliceQuery,
  Slices,
  StepFacts,
  Suggestion,
  TableTrend,
  Task,
  TaskKind,
  TaskSummary,
  Trace
} from './tokens';

/** Of a longer text that a cell has printed, the middle is left out: pages cannot show megabytes. */
const LONGEST_TEXT = 1_000_000;

/** What a run is to be started with. */
export interface RunRequest {
  path: string;
  content: NotebookContent;
  parameters?: Parameters;
  /** Run only what these steps need; everything when empty. */
  steps?: string[];
  /** Execute these though they could be reused. */
  force?: string[];
  /** How many steps may run at the same time. */
  jobs?: number;
  /** Kernelspec in place of the notebook's own. */
  kernel?: string;
}

/** What a sweep is to be started with. */
export interface SweepRequest {
  path: string;
  content: NotebookContent;
  parameter_sets: Parameters[];
  /** How many runs may be under way at the same time. */
  parallel: number;
  /** How many steps of a run may run at the same time. */
  jobs?: number;
}

/** What is to be done beside runs. */
export interface TaskRequest {
  kind: TaskKind;
  path: string;
  /** The document as it is in the editor; else as its file has it. */
  content?: NotebookContent;
  /** Of an export or an import, for the contents API. */
  folder?: string;
  arguments?: { [name: string]: JSONValue };
}

export class PipelinesClient {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  /** The engines that a notebook can be exported to. */
  async exportTargets(): Promise<ExportTarget[]> {
    const url = 'export-targets';
    return (await request<{ targets: ExportTarget[] }>(this._settings, 'GET', url)).targets;
  }

  /** Begin a task; answers its id. */
  async startTask(task: TaskRequest): Promise<string> {
    return (await request<{ task_id: string }>(this._settings, 'POST', 'tasks', task)).task_id;
  }

  /** What the server was asked to do beside runs, oldest first. */
  async tasks(): Promise<TaskSummary[]> {
    return (await request<{ tasks: TaskSummary[] }>(this._settings, 'GET', 'tasks')).tasks;
  }

  task(path: string, taskId: string): Promise<Task> {
    return request(this._settings, 'GET', withPath(path, 'tasks', taskId));
  }

  async cancelTask(taskId: string): Promise<void> {
    await request(this._settings, 'POST', `tasks/${encodeURIComponent(taskId)}/cancel`);
  }

  /** Agree to all tables of a run; answers the schema file's name and the tables. */
  pinSchemas(path: string, runId: string): Promise<{ file: string; pinned: string[] }> {
    return request(this._settings, 'PUT', 'schemas', { path, run_id: runId });
  }

  /** The pipeline that a document is, and what a run of it would do now. */
  inspect(path: string, content: NotebookContent, parameters: Parameters): Promise<Pipeline> {
    return request(this._settings, 'POST', 'pipelines', { path, content, parameters });
  }

  /** How a notebook without steps may be cut into steps. */
  suggest(path: string, content: NotebookContent): Promise<Suggestion> {
    return request(this._settings, 'POST', 'suggestions', { path, content });
  }

  /** A page of the runs of a notebook, newest first; of the root directory's project for the path ''. */
  runs(path: string, query: HistoryQuery = {}): Promise<RunPage> {
    const said = Object.entries({ path, ...query }).filter(([, value]) => value);
    const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)]));
    return request(this._settings, 'GET', `runs?${text}`);
  }

  /** Runs side by side, in the order of the ids. */
  async compare(path: string, runIds: readonly string[]): Promise<ComparedRun[]> {
    const query = new URLSearchParams([['path', path], ...runIds.map(id => ['run', id])]);
    const url = `comparison?${query}`;
    return (await request<{ runs: ComparedRun[] }>(this._settings, 'GET', url)).runs;
  }

  diff(path: string, first: string, second: string): Promise<RunDiff> {
    return request(this._settings, 'GET', withPath(path, 'runs', first, 'diff', second));
  }

  stepFacts(path: string, runId: string, step: string): Promise<StepFacts> {
    return request(this._settings, 'GET', withPath(path, 'runs', runId, 'steps', step));
  }

  stepLogged(path: string, runId: string, step: string): Promise<Logged> {
    return request(this._settings, 'GET', withPath(path, 'runs', runId, 'steps', step, 'logged'));
  }

  preview(path: string, digest: string): Promise<Preview> {
    return request(this._settings, 'GET', withPath(path, 'artifacts', digest, 'preview'));
  }

  /** A table of a run beside another: a run, a table of this run, or `''` for what its run compared it with. */
  glance(path: string, runId: string, table: string, against: string): Promise<Glance> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'glance');
    return request(this._settings, 'GET', `${url}&${new URLSearchParams({ against })}`);
  }

  /** One column of such a table in detail. */
  column(
    path: string,
    runId: string,
    table: string,
    name: string,
    against: string
  ): Promise<ColumnDetail> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'column');
    return request(this._settings, 'GET', `${url}&${new URLSearchParams({ name, against })}`);
  }

  /** The rows of a table that an anomaly is about. */
  failingRows(
    path: string,
    runId: string,
    table: string,
    { kind, feature, check }: AnomalyName
  ): Promise<FailingRows> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'rows');
    const named = Object.entries({ kind, feature, check }).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string'
    );
    return request(this._settings, 'GET', `${url}&${new URLSearchParams(named)}`);
  }

  /** The first cell that let an anomaly in: cells are executed for it, which takes its time. */
  trace(path: string, runId: string, table: string, anomaly: AnomalyName): Promise<Trace> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'trace');
    return request(this._settings, 'POST', url, anomaly);
  }

  /** Agree to one anomaly; answers the schema file, and what was written there. */
  accept(
    path: string,
    runId: string,
    table: string,
    anomaly: AnomalyName
  ): Promise<SchemaFile & { changed: string[] }> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'accept');
    return request(this._settings, 'POST', url, anomaly);
  }

  /** Take that back; the schema file stays as it is. */
  async withdraw(path: string, runId: string, table: string, anomaly: AnomalyName): Promise<void> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'withdraw');
    await request(this._settings, 'POST', url, anomaly);
  }

  /** A table, or one of its columns, in the last runs. */
  trend(path: string, table: string, column: string | null): Promise<TableTrend> {
    const query = new URLSearchParams({
      path,
      table,
      limit: '40',
      ...(column !== null && { column })
    });
    return request(this._settings, 'GET', `trends?${query}`);
  }

  /** How good the predictions of a run are for each value of the columns of a table. */
  slices(path: string, runId: string, table: string, query: SliceQuery): Promise<Slices> {
    const url = withPath(path, 'runs', runId, 'tables', table, 'slices');
    const said = Object.entries(query).filter(([, value]) => value !== '');
    return request(this._settings, 'GET', `${url}&${new URLSearchParams(said)}`);
  }

  /** The schema file of a notebook. */
  schemas(path: string): Promise<SchemaFile> {
    return request(this._settings, 'GET', withPath(path, 'schemas'));
  }

  /** Write the schema file anew. */
  async writeSchemas(path: string, text: string): Promise<void> {
    await request(this._settings, 'PUT', 'schemas', { path, text });
  }

  /** Agree to a table (`step.name`) of a run; answers the name of the schema file that says so. */
  async agree(path: string, runId: string, table: string): Promise<string> {
    const body = { path, run_id: runId, tables: [table] };
    return (await request<{ file: string }>(this._settings, 'PUT', 'schemas', body)).file;
  }

  /** Change what people add to a run. */
  async annotate(
    path: string,
    runId: string,
    change: { tags?: string[]; comment?: string }
  ): Promise<void> {
    await request(this._settings, 'PATCH', withPath(path, 'runs', runId), change);
  }

  /** Start a run for each set of parameters; answers the id of them all. */
  async startSweep(sweep: SweepRequest): Promise<string> {
    const answer = await request<{ sweep_id: string }>(this._settings, 'POST', 'sweeps', sweep);
    return answer.sweep_id;
  }

  async cancelSweep(path: string, sweepId: string): Promise<void> {
    await request(this._settings, 'POST', withPath(path, 'sweeps', sweepId, 'cancel'));
  }

  /** Begin the runs that a sweep, whose process is gone, did not come to. */
  async resumeSweep(path: string, sweepId: string): Promise<void> {
    await request(this._settings, 'POST', withPath(path, 'sweeps', sweepId, 'resume'));
  }

  /** Start a run; answers its id. */
  async start(run: RunRequest): Promise<string> {
    const answer = await request<{ run_id: string }>(this._settings, 'POST', 'runs', run);
    return answer.run_id;
  }

  run(path: string, runId: string): Promise<Run> {
    return request(this._settings, 'GET', withPath(path, 'runs', runId));
  }

  async cancel(path: string, runId: string): Promise<void> {
    await request(this._settings, 'POST', withPath(path, 'runs', runId, 'cancel'));
  }

  /** End one step of a run; what needs it is skipped, the others go on. */
  async cancelStep(path: string, runId: string, step: string): Promise<void> {
    const url = withPath(path, 'runs', runId, 'steps', step, 'cancel');
    await request(this._settings, 'POST', url);
  }

  /** The whole notebook with the outputs of a run; of very long ones, beginning and end. */
  async notebook(path: string, runId: string): Promise<NotebookContent> {
    const url = `${withPath(path, 'runs', runId, 'notebook')}&longest_text=${LONGEST_TEXT}`;
    return (await request<{ content: NotebookContent }>(this._settings, 'GET', url)).content;
  }

  /** The notebook that was executed for a step. */
  async stepNotebook(
    path: string,
    runId: string,
    step: string,
    longestText = LONGEST_TEXT
  ): Promise<NotebookContent> {
    const steps = withPath(path, 'runs', runId, 'steps', step, 'notebook');
    const url = `${steps}&longest_text=${longestText}`;
    return (await request<{ content: NotebookContent }>(this._settings, 'GET', url)).content;
  }

  /** What a step wrote while it ran: from a byte on, of much the last bytes. */
  stepLog(
    path: string,
    runId: string,
    step: string,
    start: number,
    lastBytes: number
  ): Promise<LogPiece> {
    const url = withPath(path, 'runs', runId, 'steps', step, 'log');
    return request(this._settings, 'GET', `${url}&start=${start}&last_bytes=${lastBytes}`);
  }

  /** Where a browser finds all that a step wrote, as plain text. */
  stepLogUrl(path: string, runId: string, step: string): string {
    const url = withPath(path, 'runs', runId, 'steps', step, 'log', 'text');
    return URLExt.join(this._settings.baseUrl, NAMESPACE, url);
  }
}

/** The notebook tells the server which project's store the run lies in. */
function withPath(path: string, ...parts: string[]): string {
  return `${parts.map(encodeURIComponent).join('/')}?${new URLSearchParams({ path })}`;
}
