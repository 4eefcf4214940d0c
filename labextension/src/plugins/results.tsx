/** Commands that bring results of runs back to where one works, and that add to runs. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { describeArguments } from '../commands';
import { fillOutputs, loadingCode, restoreVersion, workingNotebook } from '../results';
import { RunForm } from '../components/runForm';
import {
  CommandIDs,
  IPipelineTracker,
  NAMESPACE,
  PINNED,
  TRANSLATION_DOMAIN,
  type RunSummary
} from '../tokens';
import type { OpenNotebook, PipelineTracker } from '../tracker';

export const results: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:results`,
  description: 'Brings results of runs back into notebooks and kernels.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: PipelineTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const { commands } = app;
    const ofRun = {
      path: trans.__('Path of the notebook; it must be open'),
      runId: trans.__('Id of the run')
    };

    /** A command about a run of an open notebook; without arguments, the run selected, else the newest. */
    const add = (
      id: string,
      options: Partial<CommandRegistry.ICommandOptions>,
      execute: (notebook: OpenNotebook, runId: string, args: Arguments) => Promise<void> | void,
      more: { [name: string]: string } = {}
    ): void => {
      commands.addCommand(id, {
        describedBy: describeArguments(more, ofRun),
        isEnabled: args => whichRun(tracker, args) !== null,
        ...options,
        execute: async args => {
          const which = whichRun(tracker, args);
          if (!which) {
            return;
          }
          try {
            await execute(which.notebook, which.runId, args);
          } catch (error) {
            Notification.error(error instanceof Error ? error.message : String(error));
          }
        }
      });
    };

    add(
      CommandIDs.showOutputs,
      {
        label: trans.__('Show the Run’s Outputs in My Notebook'),
        caption: trans.__('Fill the cells with what they showed in the run; can be undone')
      },
      async ({ panel, model }, runId) => {
        const content = await model.client.notebook(model.path, runId);
        const { filled, changed } = fillOutputs(panel.context.model, content);
        const told = trans._n('%1 cell filled.', '%1 cells filled.', filled);
        const left = trans._n(
          '%1 cell has changed since and keeps its outputs.',
          '%1 cells have changed since and keep their outputs.',
          changed
        );
        Notification.success(changed > 0 ? `${told} ${left}` : told, {
          autoClose: 5000,
          actions: [
            { label: trans.__('Undo'), callback: () => undo(panel), displayType: 'default' }
          ]
        });
      }
    );

    add(
      CommandIDs.restoreVersion,
      {
        label: trans.__('Restore the Notebook to the Run’s Version'),
        caption: trans.__('Put the notebook as it was run in place of this one; can be undone')
      },
      async ({ panel, model }, runId) => {
        const content = await model.client.notebook(model.path, runId);
        restoreVersion(panel.context.model, content);
        Notification.success(trans.__('The notebook is as it was in run %1.', runId), {
          autoClose: 8000,
          actions: [
            { label: trans.__('Undo'), callback: () => undo(panel), displayType: 'default' }
          ]
        });
      }
    );

    add(
      CommandIDs.loadIntoKernel,
      {
        label: trans.__('Load an Output of the Run into the Kernel'),
        caption: trans.__('Make what a step has left a variable of the notebook’s kernel')
      },
      async ({ panel }, runId, { step, name }) => {
        const { sessionContext } = panel;
        await sessionContext.ready;
        const kernel = sessionContext.session?.kernel;
        if (!kernel) {
          throw new Error(trans.__('The notebook has no kernel. Start one first.'));
        }
        const code = loadingCode(runId, String(step), [String(name)]);
        const reply = await kernel.requestExecute({ code, store_history: false }).done;
        if (reply.content.status === 'error') {
          const { ename, evalue } = reply.content;
          throw new Error(trans.__('Loading `%1` failed: %2', name, `${ename}: ${evalue}`));
        }
        Notification.success(trans.__('`%1` is a variable of the kernel now.', name), {
          autoClose: 4000
        });
      },
      { step: trans.__('Name of the step'), name: trans.__('Name of the output') }
    );

    add(
      CommandIDs.openStepAsNotebook,
      {
        label: trans.__('Open a Step of the Run as a Notebook'),
        caption: trans.__('A new notebook with the step’s code, which loads what the step reads')
      },
      async ({ model }, runId, { step }) => {
        const { client, path } = model;
        const name = String(step);
        const [run, executed] = await Promise.all([
          client.run(path, runId),
          client.stepNotebook(path, runId, name)
        ]);
        const { contents } = app.serviceManager;
        const folder = PathExt.dirname(path);
        const base = `${PathExt.basename(path, '.ipynb')}-${name}`;
        const taken = new Set(
          ((await contents.get(folder)).content as { name: string }[]).map(file => file.name)
        );
        let file = `${base}.ipynb`;
        for (let number = 2; taken.has(file); number++) {
          file = `${base}-${number}.ipynb`;
        }
        const saved = await contents.save(PathExt.join(folder, file), {
          type: 'notebook',
          format: 'json',
          content: workingNotebook(executed, run, name)
        });
        await commands.execute('docmanager:open', { path: saved.path });
      },
      { step: trans.__('Name of the step') }
    );

    add(
      CommandIDs.useParameters,
      { label: trans.__('Use the Run’s Parameters') },
      async ({ model }, runId) => {
        const { parameters } = await model.client.run(model.path, runId);
        model.overrideAll(parameters);
      }
    );

    add(
      CommandIDs.pinRun,
      {
        label: args => {
          const run = summaryOf(tracker, args);
          return run?.tags.includes(PINNED) ? trans.__('Unpin the Run') : trans.__('Pin the Run');
        },
        caption: trans.__('A pinned run is kept with all its results')
      },
      async ({ model }, runId) => {
        const run = model.runs.find(run => run.run_id === runId);
        if (run) {
          await model.history.pin(run, !run.tags.includes(PINNED));
        }
      }
    );

    add(
      CommandIDs.editRun,
      { label: trans.__('Tags and Comment of the Run…') },
      async ({ model }, runId) => {
        const run = model.runs.find(run => run.run_id === runId);
        if (!run) {
          return;
        }
        const { button, value } = await showDialog({
          title: trans.__('Run of %1', new Date(run.created_at).toLocaleString()),
          body: new RunForm(run, trans),
          buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Save') })],
          focusNodeSelector: 'input'
        });
        if (button.accept && value) {
          const pinned = run.tags.filter(tag => tag === PINNED);
          await model.history.annotate(run, { ...value, tags: [...value.tags, ...pinned] });
        }
      }
    );

    for (const command of [
      CommandIDs.showOutputs,
      CommandIDs.restoreVersion,
      CommandIDs.useParameters,
      CommandIDs.pinRun,
      CommandIDs.editRun
    ]) {
      palette?.addItem({ command, category: trans.__('Pipeline') });
    }
  }
};

type Arguments = ReadonlyPartialJSONObject;

/** The run that a command is about. */
function whichRun(
  tracker: PipelineTracker,
  args: Arguments
): { notebook: OpenNotebook; runId: string } | null {
  const notebook =
    typeof args.path === 'string' ? tracker.find(args.path) : tracker.currentNotebook;
  const { model } = notebook ?? {};
  const runId = args.runId ?? model?.selectedRun?.run_id ?? model?.runs[0]?.run_id;
  return notebook && typeof runId === 'string' ? { notebook, runId } : null;
}

function summaryOf(tracker: PipelineTracker, args: Arguments): RunSummary | undefined {
  const which = whichRun(tracker, args);
  return which?.notebook.model.runs.find(run => run.run_id === which.runId);
}

/** Take back the last change of the notebook. */
function undo(panel: NotebookPanel): void {
  panel.context.model.sharedModel.undo();
}
