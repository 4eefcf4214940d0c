/** Marks every cell with the step that it belongs to, and its state. Drawn by the style sheet alone. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';

import { stateWord, stepState } from '../state';
import { IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { OpenNotebook, PipelineTracker } from '../tracker';

/** What is written at a cell. `text` only where something new begins. */
interface Mark {
  step?: string;
  state: string;
  text?: string;
}

/** A sign before the word, so that colour is not all that tells states apart at a glance. */
const SIGNS: { [state: string]: string } = {
  queued: '…',
  running: '▸',
  succeeded: '✓',
  reused: '✓',
  failed: '✕',
  cancelled: '■',
  skipped: '»',
  interrupted: '!',
  reuse: '✓',
  run: '○',
  undecided: '?'
};

export const marks: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:marks`,
  description: 'Marks the cells of a notebook with their steps.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [ITranslator],
  activate: (_: JupyterFrontEnd, tracker: PipelineTracker, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const follow = (notebook: OpenNotebook): void => {
      const draw = (): void => drawMarks(notebook, trans);
      notebook.model.changed.connect(draw);
      draw();
    };
    tracker.opened.connect((_, notebook) => follow(notebook));
    tracker.forEach(follow);
  }
};

function drawMarks({ panel, model }: OpenNotebook, trans: TranslationBundle): void {
  const cellMarks = marksOf(model, trans);
  panel.content.widgets.forEach((cell, index) => {
    const mark = cellMarks.get(index);
    setData(cell.node, 'pipelinesStep', mark?.step);
    setData(cell.node, 'pipelinesState', mark?.state);
    setData(cell.node, 'pipelinesMark', mark?.text);
    // What the style sheet writes into the cell's header, which is there only while the cell is drawn.
    cell.node.style.setProperty(
      '--jp-pipelines-mark',
      mark?.text ? JSON.stringify(mark.text) : null
    );
  });
}

/** The mark of each cell that has one, by its index in the notebook. */
export function marksOf(model: OpenNotebook['model'], trans: TranslationBundle): Map<number, Mark> {
  const found = new Map<number, Mark>();
  const pipeline = model.drawn;
  if (!pipeline || pipeline.steps.length === 0) {
    return found;
  }
  const markFirst = (cells: number[], mark: Mark): void =>
    cells.forEach((index, position) =>
      // Cells in a row are told once, by the first of them.
      found.set(
        index,
        position > 0 && cells[position - 1] === index - 1 ? { ...mark, text: '' } : mark
      )
    );
  markFirst(pipeline.setup_cells, { state: 'setup', text: trans.__('setup') });
  markFirst(pipeline.parameter_cells, { state: 'parameters', text: trans.__('parameters') });
  markFirst(pipeline.skipped_cells, { state: 'left-out', text: trans.__('not in the pipeline') });
  for (const step of pipeline.steps) {
    const state = stepState(model, step);
    const first = `${step.name}  ${SIGNS[state]} ${stateWord(trans, state)}`;
    step.cells.forEach((index, position) =>
      found.set(index, { step: step.name, state, text: position === 0 ? first : undefined })
    );
  }
  return found;
}

function setData(node: HTMLElement, name: string, value: string | undefined): void {
  if (value) {
    if (node.dataset[name] !== value) {
      node.dataset[name] = value;
    }
  } else {
    delete node.dataset[name];
  }
}
