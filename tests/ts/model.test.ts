import { NotebookModel } from '@jupyterlab/notebook';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { PipelinesClient, RunRequest } from '../../labextension/src/client';
import { PipelineModel } from '../../labextension/src/model';
import { UnavailableError } from '../../labextension/src/request';
import { stepState } from '../../labextension/src/state';
import type {
  NotebookContent,
  Parameters,
  Pipeline,
  Run,
  RunStatus,
  RunPage,
  RunSummary,
  Step,
  StepStatus
} from '../../labextension/src/tokens';

function step(name: string, change: Partial<Step> = {}): Step {
  return {
    name,
    title: '',
    role: null,
    cells: [0],
    after: [],
    cache: 'on',
    kernel: null,
    retries: 0,
    timeout_seconds: null,
    resources: { cpu: null, memory: null, gpu: null },
    inputs: [],
    outputs: [],
    unit: null,
    parameters: [],
    decision: 'run',
    reasons: [],
    warnings: [],
    expected_duration_seconds: null,
    last: null,
    ...change
  };
}

function pipeline(change: Partial<Pipeline> = {}): Pipeline {
  return {
    path: 'n.ipynb',
    state: 'ok',
    error: null,
    setup_cells: [],
    parameter_cells: [],
    skipped_cells: [],
    parameters: [],
    steps: [step('load')],
    edges: [],
    warnings: [],
    expected_duration_seconds: null,
    run_id: null,
    ...change
  };
}

function run(run_id: string, status: RunStatus, load: StepStatus): Run {
  return {
    run_id,
    status,
    notebook: 'n.ipynb',
    parameters: {},
    duration_seconds: null,
    created_at: '2026-01-01T00:00:00Z',
    finished_at: null,
    error: null,
    steps: [
      {
        name: 'load',
        status: load,
        decision: 'run',
        reasons: [],
        warnings: [],
        duration_seconds: null,
        started_at: null,
        finished_at: null,
        progress: null,
        cells: [0],
        inputs: {},
        outputs: [],
        verdicts: [],
        error: null
      }
    ]
  };
}

/** Answers with what a test has put down, and remembers the questions. */
class FakeServer {
  pipeline = pipeline();
  currentRun = run('r1', 'running', 'queued');
  /** Replaces the answer to the next questions about the document. */
  inspect_: (() => Promise<Pipeline>) | null = null;

  readonly inspected: { content: NotebookContent; parameters: Parameters }[] = [];
  readonly started: RunRequest[] = [];
  readonly cancelled: string[] = [];

  async inspect(_: string, content: NotebookContent, parameters: Parameters): Promise<Pipeline> {
    this.inspected.push({ content, parameters });
    return this.inspect_ ? this.inspect_() : this.pipeline;
  }

  history: RunSummary[] = [];

  async runs(): Promise<RunPage> {
    return { runs: this.history, total: this.history.length, next: null };
  }

  async start(request: RunRequest): Promise<string> {
    this.started.push(request);
    return this.currentRun.run_id;
  }

  async run(): Promise<Run> {
    return this.currentRun;
  }

  async cancel(_: string, runId: string): Promise<void> {
    this.cancelled.push(runId);
  }
}

let server: FakeServer;
let notebook: NotebookModel;
let model: PipelineModel;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  notebook = new NotebookModel();
  notebook.fromJSON({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      {
        id: 'a',
        cell_type: 'code',
        source: 'x = 1',
        metadata: { tags: ['step:load'] },
        execution_count: 1,
        outputs: [{ output_type: 'stream', name: 'stdout', text: 'large' }]
      }
    ]
  });
  notebook.dirty = false;
  model = new PipelineModel(server as unknown as PipelinesClient, {
    path: 'n.ipynb',
    model: notebook
  });
});

afterEach(() => {
  model.dispose();
  notebook.dispose();
  vi.useRealTimers();
});

/** The panel is there and the notebook in front. */
async function show(): Promise<void> {
  model.isShown = true;
  model.isFront = true;
  await vi.advanceTimersByTimeAsync(0);
}

function edit(source: string): void {
  notebook.cells.get(0).sharedModel.setSource(source);
}

describe('the document', () => {
  it('is asked about when it comes to the front, without its outputs, and stays clean', async () => {
    await show();
    expect(server.inspected).toHaveLength(1);
    expect(server.inspected[0].content.cells).toEqual([
      {
        id: 'a',
        cell_type: 'code',
        source: 'x = 1',
        metadata: { tags: ['step:load'] },
        outputs: [],
        execution_count: null
      }
    ]);
    expect(model.pipeline).toEqual(server.pipeline);
    expect(notebook.dirty).toBe(false);
  });

  it('is asked about once for a burst of edits, within half a second', async () => {
    await show();
    for (const source of ['x', 'x =', 'x = 2']) {
      edit(source);
      await vi.advanceTimersByTimeAsync(50);
    }
    await vi.advanceTimersByTimeAsync(200);
    expect(server.inspected.map(({ content }) => content.cells[0].source)).toEqual([
      'x = 1',
      'x = 2'
    ]);
  });

  it('is not asked about again when only outputs have changed', async () => {
    await show();
    notebook.cells.get(0).sharedModel.setMetadata('tags', ['step:load']);
    await vi.advanceTimersByTimeAsync(500);
    expect(server.inspected).toHaveLength(1);
  });

  it('is left alone in the background', async () => {
    await show();
    model.isFront = false;
    edit('x = 3');
    await vi.advanceTimersByTimeAsync(500);
    expect(server.inspected).toHaveLength(1);
  });

  it('without steps costs nothing while the panel is hidden', async () => {
    notebook.cells.get(0).setMetadata('tags', []);
    model.isFront = true;
    await vi.advanceTimersByTimeAsync(500);
    expect(server.inspected).toHaveLength(0);
    model.isShown = true;
    await vi.advanceTimersByTimeAsync(0);
    expect(server.inspected).toHaveLength(1);
  });

  it('is drawn from the newest answer, however late an older one comes', async () => {
    let answerOld: (pipeline: Pipeline) => void = () => undefined;
    server.inspect_ = () => new Promise(resolve => (answerOld = resolve));
    await show();
    server.inspect_ = null;
    server.pipeline = pipeline({ steps: [step('new')] });
    edit('y = 1');
    await vi.advanceTimersByTimeAsync(200);
    answerOld(pipeline({ steps: [step('old')] }));
    await vi.advanceTimersByTimeAsync(0);
    expect(model.drawn?.steps.map(({ name }) => name)).toEqual(['new']);
  });

  it('keeps its drawing while it cannot be read', async () => {
    await show();
    const error = { code: 'syntax_error', message: 'Cell 1', details: { cell_index: 0 } };
    server.pipeline = pipeline({ state: 'error', error, steps: [] });
    edit('x = ');
    await vi.advanceTimersByTimeAsync(200);
    expect(model.pipeline?.error).toEqual(error);
    expect(model.drawn?.steps.map(({ name }) => name)).toEqual(['load']);
  });
});

it('says why there is no pipeline, and comes back on a retry', async () => {
  server.inspect_ = () => Promise.reject(new UnavailableError('no-extension', ''));
  await show();
  expect(model.noPipelineReason).toBe('no-extension');
  server.inspect_ = null;
  await model.refresh();
  expect(model.noPipelineReason).toBeNull();
});

describe('values for parameters', () => {
  const parameters = [
    { name: 'alpha', default: 0.1, source: '0.1', type: 'float' as const, comment: '' },
    { name: 'kind', default: 'a', source: "'a'", type: 'str' as const, comment: '' }
  ];

  it('are saved in the notebook under a name, taken again, and forgotten', async () => {
    server.pipeline = pipeline({ parameters });
    await show();
    model.override('alpha', '0.5');
    model.saveParameterSet('half', model.parsedOverrides.values);
    expect(model.parameterSets).toEqual({ half: { alpha: 0.5 } });
    expect(notebook.getMetadata('pipelines-as-experiments')).toEqual({
      parameter_sets: { half: { alpha: 0.5 } }
    });

    model.override('alpha', null);
    model.overrideAll({ alpha: 0.5, kind: 'a', unknown: 1 });
    expect(model.overrides).toEqual({ alpha: '0.5' });

    model.saveParameterSet('half', null);
    expect(notebook.getMetadata('pipelines-as-experiments')).toBeUndefined();
  });
});

describe('a failed run', () => {
  const failed = { run_id: 'r1', status: 'failed', tags: [] } as unknown as RunSummary;

  it('is known as such until something else is run, and can be retried as it was', async () => {
    server.history = [failed];
    server.currentRun = { ...run('r1', 'failed', 'failed'), parameters: { alpha: 2 } };
    await show();
    expect(model.failedRun).toBeNull();
    await vi.advanceTimersByTimeAsync(0);
    expect(model.failedRun?.run_id).toBe('r1');

    model.jobs = 2;
    model.kernel = 'other';
    await model.retry(model.failedRun!);
    expect(server.started[0]).toMatchObject({
      parameters: { alpha: 2 },
      steps: [],
      jobs: 2,
      kernel: 'other'
    });
    expect(model.failedRun).toBeNull();
  });
});

describe('a run', () => {
  it('is started with the whole document and followed to its end', async () => {
    await show();
    await model.run({ steps: ['load'] });
    expect(server.started[0]).toMatchObject({ path: 'n.ipynb', steps: ['load'], parameters: {} });
    expect(server.started[0].content.cells[0].outputs).toHaveLength(1);
    expect(model.isRunning).toBe(true);

    await vi.advanceTimersByTimeAsync(200);
    expect(model.stepRun('load')?.status).toBe('queued');

    server.currentRun = run('r1', 'running', 'running');
    model.onRunEvent({ run_id: 'r1', path: 'n.ipynb' });
    await vi.advanceTimersByTimeAsync(200);
    expect(model.stepRun('load')?.status).toBe('running');

    const last = {
      run_id: 'r1',
      status: 'succeeded',
      duration_seconds: 1,
      finished_at: ''
    } as const;
    server.pipeline = pipeline({ steps: [step('load', { decision: 'reuse', last })] });
    server.currentRun = run('r1', 'succeeded', 'succeeded');
    model.onRunEvent({ run_id: 'r1', path: 'n.ipynb' });
    await vi.advanceTimersByTimeAsync(200);
    expect(model.isRunning).toBe(false);
    expect(stepState(model, model.step('load')!)).toBe('succeeded');
  });

  it('is followed even when no event arrives', async () => {
    await show();
    await model.run();
    await vi.advanceTimersByTimeAsync(200);
    server.currentRun = run('r1', 'failed', 'failed');
    await vi.advanceTimersByTimeAsync(4000);
    expect(model.isRunning).toBe(false);
  });

  it('that was under way before the page was opened is found', async () => {
    server.pipeline = pipeline({ run_id: 'r1' });
    server.currentRun = run('r1', 'running', 'running');
    await show();
    await vi.advanceTimersByTimeAsync(200);
    expect(model.activeRun?.run_id).toBe('r1');
  });

  it('can be cancelled', async () => {
    await show();
    await model.run();
    await model.cancel();
    expect(server.cancelled).toEqual(['r1']);
  });

  it('is not started twice', async () => {
    await show();
    await Promise.all([model.run(), model.run()]);
    expect(server.started).toHaveLength(1);
  });

  it('takes the typed parameters, and waits for wrong ones to be mended', async () => {
    const rows = { name: 'rows', default: 1, source: '1', type: 'int', comment: '' } as const;
    server.pipeline = pipeline({ parameters: [rows] });
    await show();
    model.override('rows', 'many');
    await model.run();
    expect(server.started).toHaveLength(0);
    model.override('rows', '5');
    await vi.advanceTimersByTimeAsync(200);
    expect(server.inspected.at(-1)?.parameters).toEqual({ rows: 5 });
    await model.run();
    expect(server.started[0].parameters).toEqual({ rows: 5 });
  });
});

it.each<[Partial<Step>, string]>([
  [{ decision: 'run' }, 'run'],
  [{ decision: 'undecided' }, 'undecided'],
  [{ decision: 'reuse' }, 'reuse'],
  [{ decision: 'reuse', last: lastRun('reused') }, 'reused'],
  [{ decision: 'reuse', last: lastRun('cancelled') }, 'reuse'],
  [{ decision: 'run', last: lastRun('succeeded') }, 'run'],
  [{ decision: 'run', last: lastRun('failed') }, 'failed']
])('a step with %j is %s', async (change, state) => {
  server.pipeline = pipeline({ steps: [step('load', change)] });
  await show();
  expect(stepState(model, model.step('load')!)).toBe(state);
});

function lastRun(status: StepStatus): Step['last'] {
  return { run_id: 'r0', status, duration_seconds: null, finished_at: null };
}
