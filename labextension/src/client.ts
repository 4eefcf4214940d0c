/** The REST contract, one method for each question. */
import type { ServerConnection } from '@jupyterlab/services';

import { request } from './request';
import type { NotebookContent, Parameters, Pipeline, Run, RunSummary } from './tokens';

/** What a run is to be started with. */
export interface RunRequest {
  path: string;
  content: NotebookContent;
  parameters?: Parameters;
  /** Run only what these steps need; everything when empty. */
  steps?: string[];
}

export class PipelinesClient {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  /** The pipeline that a document is, and what a run of it would do now. */
  inspect(path: string, content: NotebookContent, parameters: Parameters): Promise<Pipeline> {
    return request(this._settings, 'POST', 'pipelines', { path, content, parameters });
  }

  /** The runs of a notebook, newest first. */
  async runs(path: string, limit = 50): Promise<RunSummary[]> {
    const query = new URLSearchParams({ path, limit: String(limit) });
    const answer = await request<{ runs: RunSummary[] }>(this._settings, 'GET', `runs?${query}`);
    return answer.runs;
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

  /** The whole notebook with the outputs of a run. */
  async notebook(path: string, runId: string): Promise<NotebookContent> {
    const url = withPath(path, 'runs', runId, 'notebook');
    return (await request<{ content: NotebookContent }>(this._settings, 'GET', url)).content;
  }

  /** The notebook that was executed for a step. */
  async stepNotebook(path: string, runId: string, step: string): Promise<NotebookContent> {
    const url = withPath(path, 'runs', runId, 'steps', step, 'notebook');
    return (await request<{ content: NotebookContent }>(this._settings, 'GET', url)).content;
  }

  /** What a step wrote while it ran. */
  async stepLog(path: string, runId: string, step: string): Promise<string> {
    const url = withPath(path, 'runs', runId, 'steps', step, 'log');
    return (await request<{ log: string }>(this._settings, 'GET', url)).log;
  }
}

/** The notebook tells the server which project's store the run lies in. */
function withPath(path: string, ...parts: string[]): string {
  return `${parts.map(encodeURIComponent).join('/')}?${new URLSearchParams({ path })}`;
}
