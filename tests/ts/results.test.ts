import { NotebookModel } from '@jupyterlab/notebook';
import { beforeEach, describe, expect, it } from 'vitest';

import {
  fillOutputs,
  inputsCode,
  loadingCode,
  restoreVersion,
  withWholeText,
  workingNotebook
} from '../../labextension/src/results';
import type { NotebookContent, Run } from '../../labextension/src/tokens';

function code(id: string, source: string, text?: string | string[]): { [key: string]: unknown } {
  const outputs = text ? [{ output_type: 'stream', name: 'stdout', text }] : [];
  return { cell_type: 'code', id, source, metadata: {}, outputs, execution_count: null };
}

function content(...cells: { [key: string]: unknown }[]): NotebookContent {
  return { nbformat: 4, nbformat_minor: 5, metadata: {}, cells };
}

let model: NotebookModel;

beforeEach(() => {
  model = new NotebookModel();
  model.fromJSON(content(code('a', 'x = 1', 'old'), code('b', 'y = 2')) as never);
  model.sharedModel.clearUndoHistory();
});

function texts(): unknown[] {
  return model.sharedModel.cells.map(cell => {
    const { outputs } = cell.toJSON() as { outputs?: { text: string }[] };
    return outputs?.map(output => output.text).join('');
  });
}

describe('outputs of a run', () => {
  it('fill the cells that are as they were, and are taken back by one undo', () => {
    const past = content(code('a', 'x = 1', ['one\n', 'two']), code('b', 'y = 3', 'other'));
    expect(fillOutputs(model, past)).toEqual({ filled: 1, changed: 1 });
    expect(texts()).toEqual(['one\ntwo', '']);
    model.sharedModel.undo();
    expect(texts()).toEqual(['old', '']);
  });

  it('find cells by their source where ids are none', () => {
    const past = content(code('cell-9', 'y = 2', 'found'));
    expect(fillOutputs(model, past)).toEqual({ filled: 1, changed: 1 });
    expect(texts()).toEqual(['old', 'found']);
  });

  it('have their texts in one piece', () => {
    expect(
      withWholeText({
        output_type: 'display_data',
        metadata: {},
        data: { 'text/html': ['<b>', '</b>'], 'application/json': ['a', 'b'] }
      }).data
    ).toEqual({ 'text/html': '<b></b>', 'application/json': ['a', 'b'] });
  });
});

describe('a version of the notebook', () => {
  it('takes the place of this one, and is taken back by one undo', () => {
    const past = content(code('a', 'x = 7', 'seven'), code('c', 'z = 9'));
    restoreVersion(model, past);
    expect(model.sharedModel.cells.map(cell => cell.getSource())).toEqual(['x = 7', 'z = 9']);
    expect(texts()).toEqual(['seven', '']);
    model.sharedModel.undo();
    expect(model.sharedModel.cells.map(cell => cell.getSource())).toEqual(['x = 1', 'y = 2']);
  });
});

describe('code', () => {
  const run = {
    run_id: 'r1',
    steps: [
      { name: 'load', inputs: {}, outputs: [{ name: 'df', digest: 'd1' }] },
      { name: 'clean', inputs: { df: 'd1', gone: 'd9' }, outputs: [{ name: 'df', digest: 'd2' }] }
    ]
  } as unknown as Run;

  it('loads an output, or what a step read', () => {
    expect(loadingCode('r1', 'load', ['df'])).toContain('df = run["load"]["df"].load()');
    expect(inputsCode(run, 'clean')).toBe(
      [
        'import jupyterlab_pipelines as pipelines',
        '',
        'run = pipelines.get_run("r1")',
        'df = run["load"]["df"].load()'
      ].join('\n')
    );
  });

  it('makes a notebook of a step that can be worked in', () => {
    const executed = content(
      code('setup', 'import pandas'),
      { ...code('inputs', '_pipelines.load(…)'), metadata: { tags: ['injected-inputs'] } },
      { ...code('own', 'df.oops()', 'error'), metadata: { tags: ['step:clean'] } }
    );
    const { cells } = workingNotebook(executed, run, 'clean');
    expect(cells.map(cell => String(cell.source).split('\n').at(-1))).toEqual([
      'import pandas',
      'df = run["load"]["df"].load()',
      'df.oops()'
    ]);
    expect(cells.every(cell => (cell.outputs as unknown[]).length === 0)).toBe(true);
    expect(JSON.stringify(cells)).not.toContain('step:');
  });
});
