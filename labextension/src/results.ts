/** How results of runs come back into notebooks: as code that loads them, as outputs, as documents. */
import type { INotebookModel } from '@jupyterlab/notebook';
import type { ICell, IOutput } from '@jupyterlab/nbformat';
import type { ISharedCodeCell, SharedCell } from '@jupyter/ydoc';

import { sourceOf } from './groups';
import { tagsOf } from './tags';
import type { NotebookContent, Run } from './tokens';

type CellContent = { [key: string]: unknown };

/** Python that loads what a step of a run has left into a variable of its name. */
export function loadingCode(runId: string, step: string, names: readonly string[]): string {
  return [
    'import jupyterlab_pipelines as pipelines',
    '',
    `run = pipelines.get_run(${quoted(runId)})`,
    ...names.map(name => `${name} = run[${quoted(step)}][${quoted(name)}].load()`)
  ].join('\n');
}

/** The same, for the variables that a step of a run has read. */
export function inputsCode(run: Run, step: string): string {
  const inputs = Object.entries(run.steps.find(({ name }) => name === step)?.inputs ?? {});
  const lines = inputs.flatMap(([name, digest]) => {
    const source = run.steps.find(({ outputs }) =>
      outputs.some(output => output.name === name && output.digest === digest)
    );
    return source ? [`${name} = run[${quoted(source.name)}][${quoted(name)}].load()`] : [];
  });
  return [
    'import jupyterlab_pipelines as pipelines',
    '',
    `run = pipelines.get_run(${quoted(run.run_id)})`,
    ...lines
  ].join('\n');
}

/** The notebook that was executed for a step, as one to work in: it loads its inputs by itself. */
export function workingNotebook(
  executed: NotebookContent,
  run: Run,
  step: string
): NotebookContent {
  const injected = executed.cells.filter(cell => tagsOfCell(cell).includes('injected-inputs'));
  const cells = executed.cells.flatMap((cell): CellContent[] => {
    if (!injected.includes(cell)) {
      return [workingCell(cell, sourceOf(cell))];
    }
    return cell === injected[0] ? [workingCell(cell, inputsCode(run, step))] : [];
  });
  const { kernelspec, language_info } = executed.metadata;
  return { ...executed, metadata: { kernelspec, language_info }, cells };
}

function workingCell(cell: CellContent, source: string): CellContent {
  return cell.cell_type === 'code'
    ? { ...cell, source, metadata: {}, outputs: [], execution_count: null }
    : { ...cell, source, metadata: {} };
}

function tagsOfCell(cell: CellContent): unknown[] {
  const { tags } = (cell.metadata ?? {}) as { tags?: unknown };
  return Array.isArray(tags) ? tags : [];
}

/** How many cells got outputs of a run, and how many could not be found in it as they are now. */
export interface Filled {
  filled: number;
  changed: number;
}

/**
 * Fill a notebook's code cells with the outputs that they had in a run; one change that can be undone.
 *
 * Cells are found by their id, else by their source. A cell that has another source now keeps what it
 * shows: the run's outputs are not its own.
 */
export function fillOutputs(model: INotebookModel, content: NotebookContent): Filled {
  const byId = new Map(content.cells.map(cell => [cell.id, cell]));
  const bySource = new Map(content.cells.map(cell => [sourceOf(cell), cell]));
  const result = { filled: 0, changed: 0 };
  const clearing: (() => void)[] = [];
  const filling: (() => void)[] = [];
  for (const cell of model.sharedModel.cells) {
    if (!isCode(cell)) {
      continue;
    }
    const source = cell.getSource();
    const same = byId.get(cell.getId());
    const past = same && sourceOf(same) === source ? same : bySource.get(source);
    if (past?.cell_type === 'code') {
      result.filled += 1;
      const outputs = (past.outputs as IOutput[] | undefined) ?? [];
      clearing.push(() => cell.setOutputs([]));
      filling.push(() => {
        cell.setOutputs(outputs.map(withWholeText));
        cell.execution_count = (past.execution_count as number | null) ?? null;
      });
    } else if (source.trim() !== '') {
      result.changed += 1;
    }
  }
  // First without any: JupyterLab's model of a cell doubles a stream that takes the place of a stream.
  asOneChange(model, ...[clearing, filling].map(changes => () => changes.forEach(run => run())));
  return result;
}

/** Put a run's version of the notebook in place of this one; one change that can be undone. */
export function restoreVersion(model: INotebookModel, content: NotebookContent): void {
  const { sharedModel } = model;
  const cells = content.cells.map(cell => ({
    ...cell,
    source: sourceOf(cell),
    ...(cell.cell_type === 'code'
      ? { outputs: ((cell.outputs as IOutput[] | undefined) ?? []).map(withWholeText) }
      : {})
  }));
  asOneChange(model, () => {
    sharedModel.deleteCellRange(0, sharedModel.cells.length);
    sharedModel.insertCells(0, cells as unknown as SharedCell.Cell[]);
  });
}

/** Give cells the tags that were proposed for them; one change that can be undone. */
export function tagCells(model: INotebookModel, tags: { [index: string]: string[] }): void {
  asOneChange(model, () => {
    for (const [index, added] of Object.entries(tags)) {
      const cell = model.sharedModel.cells[Number(index)];
      const known = tagsOf(cell?.getMetadata('tags'));
      cell?.setMetadata('tags', [...new Set([...known, ...added])]);
    }
  });
}

/** Under the notebook's own origin, which its history follows, and apart from what was typed before. */
function asOneChange(model: INotebookModel, ...changes: (() => void)[]): void {
  const { sharedModel } = model;
  const history = (sharedModel as { undoManager?: { stopCapturing(): void } }).undoManager;
  history?.stopCapturing();
  changes.forEach(change => sharedModel.transact(change, true));
  history?.stopCapturing();
}

function isCode(cell: { cell_type: ICell['cell_type'] }): cell is ISharedCodeCell {
  return cell.cell_type === 'code';
}

/** An output with its texts in one piece; files keep them as lists of lines. */
export function withWholeText(output: IOutput): IOutput {
  const whole: { [key: string]: unknown } = { ...output };
  if (Array.isArray(output.text)) {
    whole.text = output.text.join('');
  }
  if (typeof output.data === 'object' && output.data !== null) {
    whole.data = Object.fromEntries(
      Object.entries(output.data).map(([type, data]) => [
        type,
        Array.isArray(data) && !/[/+.]json$/.test(type) ? data.join('') : data
      ])
    );
  }
  return whole as IOutput;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
