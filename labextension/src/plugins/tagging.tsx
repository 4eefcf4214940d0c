/** Makes a cell a step without typing tags: a dialog, and a section of the property inspector. */
import type { YCodeCell } from '@jupyter/ydoc';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import { INotebookTools, INotebookTracker, NotebookTools } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { PanelLayout } from '@lumino/widgets';
import * as React from 'react';

import { pipelineIcon } from '../components/icons';
import { TransContext } from '../components/context';
import { StepForm, isComplete } from '../components/stepForm';
import { hasStepMagic, readTags, tagsOf, writeTags, type CellKind, type CellTags } from '../tags';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { PipelineTracker } from '../tracker';

/** The origin of the changes that the forms make. */
const TAGGING = { name: `${NAMESPACE}:tagging` };

export const tagging: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:tagging`,
  description: 'Forms that make a cell a step.',
  autoStart: true,
  requires: [IPipelineTracker, INotebookTracker],
  optional: [ITranslator, INotebookTools],
  activate: (
    app: JupyterFrontEnd,
    tracker: PipelineTracker,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    tools: INotebookTools | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const stepNames = (): string[] => tracker.current?.drawn?.steps.map(step => step.name) ?? [];

    app.commands.addCommand(CommandIDs.setStep, {
      label: args => (args.toolbar ? '' : trans.__('Set the Step of the Cell…')),
      caption: trans.__('Set the pipeline step of this cell'),
      icon: pipelineIcon,
      isEnabled: () => isTaggable(notebooks.currentWidget?.content.activeCell ?? null),
      execute: async args => {
        const cell = notebooks.currentWidget?.content.activeCell ?? null;
        if (isTaggable(cell)) {
          await askForStep(cell, stepNames(), trans, args.kind as CellKind | undefined);
        }
      }
    });

    if (tools) {
      tools.addSection({
        sectionName: `${NAMESPACE}:step`,
        label: trans.__('Pipeline Step'),
        rank: 0,
        tool: new StepTool(() => notebooks.activeCell, stepNames, trans)
      });
    }
  }
};

function isTaggable(cell: Cell | null): cell is Cell {
  return cell !== null && cell.model.type === 'code' && !cell.isDisposed;
}

function tagsOfCell(cell: Cell): string[] {
  return tagsOf(cell.model.getMetadata('tags'));
}

/**
 * Write the tags as one change of the document that undo takes back.
 *
 * By themselves changes of metadata are left out of the history. JupyterLab has two: the notebook's
 * (Z, Undo Cell Operation) and the cell's (Ctrl-Z). The change goes under an origin of ours, and both
 * are told to remember what comes from there.
 */
function setTags(cell: Cell, wanted: CellTags): void {
  const before = tagsOfCell(cell);
  const after = writeTags(before, wanted);
  if (JSON.stringify(before) === JSON.stringify(after)) {
    return;
  }
  const sharedCell = cell.model.sharedModel as unknown as YCodeCell;
  for (const history of [sharedCell.notebook?.undoManager, sharedCell.undoManager]) {
    history?.addTrackedOrigin(TAGGING);
    // A change of its own, not one with the last letters that were typed.
    history?.stopCapturing();
  }
  const write = (): void => {
    if (after.length > 0) {
      cell.model.setMetadata('tags', after);
    } else {
      cell.model.deleteMetadata('tags');
    }
  };
  const { doc } = sharedCell.ymodel;
  if (doc) {
    doc.transact(write, TAGGING);
  } else {
    write();
  }
}

/** The dialog: what the cell says now, and what it shall say. */
async function askForStep(
  cell: Cell,
  stepNames: string[],
  trans: TranslationBundle,
  kind?: CellKind
): Promise<void> {
  const original = readTags(tagsOfCell(cell));
  // Whoever asks for the form of an untagged cell wants to make it a step.
  const first = original.kind === 'join' ? { ...original, kind: kind ?? 'step' } : original;
  const hasMagic = hasStepMagic(cell.model.sharedModel.getSource());
  const body = new StepDialogBody(first, original, stepNames, hasMagic, trans);
  const accept = Dialog.okButton({ label: trans.__('Set') });
  const dialog = new Dialog<CellTags>({
    title: trans.__('Pipeline step'),
    body,
    buttons: hasMagic
      ? [Dialog.cancelButton({ label: trans.__('Close') })]
      : [Dialog.cancelButton(), accept],
    focusNodeSelector: 'input, select'
  });
  const { button, value } = await dialog.launch();
  if (button.accept && value && !cell.isDisposed && isComplete(value, original)) {
    setTags(cell, value);
  }
}

class StepDialogBody extends ReactWidget implements Dialog.IBodyWidget<CellTags> {
  constructor(
    private _value: CellTags,
    private readonly _original: CellTags,
    private readonly _stepNames: string[],
    private readonly _hasMagic: boolean,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-Pipelines-dialog');
  }

  getValue(): CellTags {
    return this._value;
  }

  protected render(): React.ReactElement {
    this._enableAccept();
    return (
      <TransContext.Provider value={this._trans}>
        <StepForm
          value={this._value}
          original={this._original}
          stepNames={this._stepNames}
          hasMagic={this._hasMagic}
          onChange={value => {
            this._value = value;
            this.update();
          }}
        />
      </TransContext.Provider>
    );
  }

  /** A form that is not complete cannot be accepted. */
  private _enableAccept(): void {
    const dialog = this.node.closest('.jp-Dialog');
    const accept = dialog?.querySelector<HTMLButtonElement>('button.jp-mod-accept');
    if (accept && !this._hasMagic) {
      accept.disabled = !isComplete(this._value, this._original);
    }
  }
}

/** The section of the property inspector. */
class StepTool extends NotebookTools.Tool {
  constructor(activeCell: () => Cell | null, stepNames: () => string[], trans: TranslationBundle) {
    super();
    this.addClass('jp-Pipelines-tool');
    this._form = new StepToolForm(activeCell, stepNames, trans);
    const layout = (this.layout = new PanelLayout());
    layout.addWidget(this._form);
  }

  protected override onActiveCellChanged(): void {
    this._form.update();
  }

  protected override onActiveCellMetadataChanged(): void {
    this._form.update();
  }

  private readonly _form: StepToolForm;
}

class StepToolForm extends ReactWidget {
  constructor(
    private readonly _activeCell: () => Cell | null,
    private readonly _stepNames: () => string[],
    private readonly _trans: TranslationBundle
  ) {
    super();
  }

  protected render(): React.ReactElement {
    const cell = this._activeCell();
    return (
      <TransContext.Provider value={this._trans}>
        {isTaggable(cell) ? (
          <CellForm
            // Another cell, or other tags: what was typed before is of no use.
            key={`${cell.model.id} ${tagsOfCell(cell).join(' ')}`}
            cell={cell}
            stepNames={this._stepNames()}
          />
        ) : (
          <p className="jp-Pipelines-note">{this._trans.__('Code cells can be steps.')}</p>
        )}
      </TransContext.Provider>
    );
  }
}

/** The form for one cell; a change is written as soon as it is complete. */
function CellForm(props: { cell: Cell; stepNames: string[] }): React.ReactElement {
  const { cell, stepNames } = props;
  const original = readTags(tagsOfCell(cell));
  const [value, setValue] = React.useState(original);
  return (
    <StepForm
      value={value}
      original={original}
      stepNames={stepNames}
      hasMagic={hasStepMagic(cell.model.sharedModel.getSource())}
      onChange={setValue}
      onCommit={value => isComplete(value, original) && setTags(cell, value)}
    />
  );
}
