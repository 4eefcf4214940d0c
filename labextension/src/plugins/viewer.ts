/** Opens the notebook of a run, or of one of its steps, to be read. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, Notification } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { PathExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { NotebookModel, NotebookPanel, StaticNotebook } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { notebookIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { describeArguments } from '../commands';
import { addToMain } from '../shell';
import {
  CommandIDs,
  IPipelineTracker,
  NAMESPACE,
  TRANSLATION_DOMAIN,
  type NotebookContent
} from '../tokens';
import type { PipelineTracker } from '../tracker';

export const viewer: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:viewer`,
  description: 'Shows the executed notebooks of runs.',
  autoStart: true,
  requires: [IPipelineTracker, NotebookPanel.IContentFactory, IRenderMimeRegistry, IEditorServices],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: PipelineTracker,
    contentFactory: NotebookPanel.IContentFactory,
    rendermime: IRenderMimeRegistry,
    editorServices: IEditorServices,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const opened = new Map<string, Widget>();

    const open = async (path: string, runId: string, step: string | null): Promise<void> => {
      const id = [NAMESPACE, 'notebook', runId, step ?? ''].join(':');
      const existing = opened.get(id);
      if (existing) {
        app.shell.activateById(existing.id);
        return;
      }
      const { client } = tracker;
      const content = await (step
        ? client.stepNotebook(path, runId, step)
        : client.notebook(path, runId));
      const notebook = new StaticNotebook({
        contentFactory,
        rendermime: rendermime.clone(),
        mimeTypeService: editorServices.mimeTypeService,
        translator: translator ?? undefined
      });
      const model = new NotebookModel();
      model.fromJSON(forReading(content));
      model.readOnly = true;
      notebook.model = model;
      notebook.addClass('jp-Pipelines-executed');
      notebook.disposed.connect(() => model.dispose());

      const widget = new MainAreaWidget({ content: notebook });
      const name = PathExt.basename(path, '.ipynb');
      widget.id = id;
      widget.title.label = step
        ? trans.__('%1: %2 (run %3)', name, step, runId)
        : trans.__('%1 (run %2)', name, runId);
      widget.title.caption = trans.__('Executed notebook, read-only');
      widget.title.icon = notebookIcon;
      widget.toolbar.hide();
      widget.contentHeader.addWidget(
        header(
          step
            ? trans.__('Step %1 of %2 as it was executed in run %3. Read-only.', step, path, runId)
            : trans.__('%1 as it was executed in run %2. Read-only.', path, runId)
        )
      );
      widget.disposed.connect(() => opened.delete(id));
      opened.set(id, widget);
      addToMain(app, widget);
    };

    app.commands.addCommand(CommandIDs.openRun, {
      label: args =>
        args.step ? trans.__('Open the Executed Step') : trans.__('Open the Run’s Notebook'),
      caption: trans.__('Open the notebook of a run, or of one of its steps, read-only'),
      describedBy: describeArguments(
        { path: trans.__('Path of the notebook'), runId: trans.__('Id of the run') },
        { step: trans.__('Name of a step') }
      ),
      execute: async args => {
        const { path, runId, step } = args;
        try {
          await open(String(path), String(runId), typeof step === 'string' ? step : null);
        } catch (error) {
          Notification.error(error instanceof Error ? error.message : String(error));
        }
      }
    });
  }
};

/** The same notebook, with no cell that could be edited. */
function forReading(content: NotebookContent): INotebookContent {
  const cells = content.cells.map(cell => ({
    ...cell,
    metadata: { ...(cell.metadata as object), editable: false }
  }));
  return { ...content, cells } as unknown as INotebookContent;
}

function header(text: string): Widget {
  const widget = new Widget();
  widget.addClass('jp-Pipelines-executedHeader');
  widget.node.textContent = text;
  return widget;
}
