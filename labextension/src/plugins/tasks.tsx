/** Commands about more than a run: export, verification, the schema file, installation and store. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  MainAreaWidget,
  Notification,
  ReactWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { TASK_COMMANDS, taskTitle } from '../activeTasks';
import { describeArguments } from '../commands';
import { TransContext } from '../components/context';
import { pipelineIcon } from '../components/icons';
import { addToMain } from '../shell';
import {
  CommandIDs,
  IPipelineTracker,
  NAMESPACE,
  TRANSLATION_DOMAIN,
  type TaskKind
} from '../tokens';
import { revealStep, type PipelineTracker } from '../tracker';

const View = React.lazy(() => import('../panels/tasks/view'));

export const tasks: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:tasks`,
  description: 'Exports and verifies pipelines, and looks after installation and store.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    tracker: PipelineTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const { commands } = app;
    const category = trans.__('Pipeline');
    const opened = new WidgetTracker<MainAreaWidget<TaskWidget>>({
      namespace: `${NAMESPACE}-tasks`
    });
    const ofNotebook = { path: trans.__('Path of the notebook; without it, the one in front') };
    const ofTask = { taskId: trans.__('Id of a task to show, which has begun already') };
    const pathOf = (args: { path?: unknown }): string | null =>
      typeof args.path === 'string' ? args.path : (tracker.current?.path ?? null);

    const addTask = (
      id: string,
      kind: TaskKind,
      label: string,
      caption: string,
      needsSteps = false
    ): void => {
      commands.addCommand(id, {
        label,
        caption,
        describedBy: describeArguments({}, { ...ofNotebook, ...ofTask }),
        isEnabled: args =>
          typeof args.path === 'string' ||
          (tracker.current !== null &&
            (!needsSteps || (tracker.current.drawn?.steps.length ?? 0) > 0)),
        execute: args => {
          const path = pathOf(args);
          if (path !== null) {
            open(kind, path, typeof args.taskId === 'string' ? args.taskId : null);
          }
        }
      });
      palette?.addItem({ command: id, category });
    };

    const open = (kind: TaskKind, path: string, wanted: string | null): void => {
      // Not twice at the same time: whoever asks again wants to see how far it is.
      const taskId = wanted ?? tracker.activeTasks.find(kind, path)?.task_id ?? null;
      const id = `${NAMESPACE}:task:${kind}:${path}`;
      const known = opened.find(widget => widget.id === id);
      if (known) {
        app.shell.activateById(id);
        if (taskId !== null) {
          known.content.showTask(taskId);
        } else {
          // What needs no form is asked again: an answer of yesterday helps nobody.
          known.content.again();
        }
        return;
      }
      const content = new TaskWidget(kind, path, taskId, app, tracker, trans);
      const widget = new MainAreaWidget({ content });
      widget.id = id;
      widget.title.label = taskTitle(trans, kind, path);
      widget.title.caption = path;
      widget.title.icon = pipelineIcon;
      widget.title.closable = true;
      widget.toolbar.hide();
      content.changed = () => void opened.save(widget);
      void opened.add(widget);
      addToMain(app, widget);
    };

    addTask(
      CommandIDs.exportPipeline,
      'export',
      trans.__('Export as a Production Pipeline…'),
      trans.__('Write the pipeline for Airflow, Kubeflow or another engine, or as a package'),
      true
    );
    addTask(
      CommandIDs.verify,
      'verify',
      trans.__('Verify Against Run All'),
      trans.__('Execute what would be reused again in a scratch place, and compare'),
      true
    );
    addTask(
      CommandIDs.importRun,
      'import',
      trans.__('Import a Run of an Exported Pipeline…'),
      trans.__('Take a run of an exported pipeline into the history')
    );
    addTask(
      CommandIDs.doctor,
      'doctor',
      trans.__('Check the Installation'),
      trans.__('What is wrong with this installation, and what to do')
    );
    addTask(
      CommandIDs.checkStore,
      'check',
      trans.__('Check the Store'),
      trans.__('Look whether all that is stored is whole, and mend what can be mended')
    );
    addTask(
      CommandIDs.reclaimSpace,
      'gc',
      trans.__('Reclaim Space of the Store…'),
      trans.__('Let go of what was not used for long')
    );

    const told = async (action: () => Promise<void>): Promise<void> => {
      try {
        await action();
      } catch (error) {
        Notification.error(error instanceof Error ? error.message : String(error));
      }
    };
    const openSchema = (path: string, file: string): Promise<unknown> =>
      commands.execute('docmanager:open', { path: PathExt.join(PathExt.dirname(path), file) });

    commands.addCommand(CommandIDs.openSchema, {
      label: trans.__('Open the Schema File'),
      caption: trans.__('What is expected of the notebook’s tables'),
      describedBy: describeArguments({}, ofNotebook),
      isEnabled: args => pathOf(args) !== null,
      execute: args =>
        told(async () => {
          const path = pathOf(args)!;
          const { file, text } = await tracker.client.schemas(path);
          if (text) {
            await openSchema(path, file);
          } else {
            Notification.info(
              trans.__('Nothing is expected of the tables of this notebook yet: pin them first.'),
              {
                actions: [
                  {
                    label: trans.__('Pin the tables of the last run'),
                    callback: () => void commands.execute(CommandIDs.pinSchema, { path })
                  }
                ]
              }
            );
          }
        })
    });
    commands.addCommand(CommandIDs.pinSchema, {
      label: trans.__('Pin the Tables of the Last Run'),
      caption: trans.__('Write into the schema file that the tables are as they should be'),
      describedBy: describeArguments({}, ofNotebook),
      isEnabled: args => pathOf(args) !== null,
      execute: args =>
        told(async () => {
          const path = pathOf(args)!;
          const { runs } = await tracker.client.runs(path, { status: 'succeeded', limit: 1 });
          if (runs.length === 0) {
            throw new Error(trans.__('This notebook has no run that succeeded yet: run it first.'));
          }
          const { file, pinned } = await tracker.client.pinSchemas(path, runs[0].run_id);
          if (pinned.length === 0) {
            Notification.info(trans.__('The steps of the last run have left no tables.'));
            return;
          }
          Notification.success(
            trans._n(
              '%1 table is pinned in %2.',
              '%1 tables are pinned in %2.',
              pinned.length,
              file
            ),
            {
              autoClose: 8000,
              actions: [{ label: trans.__('Open'), callback: () => void openSchema(path, file) }]
            }
          );
        })
    });
    for (const command of [CommandIDs.openSchema, CommandIDs.pinSchema]) {
      palette?.addItem({ command, category });
    }
    // Notebook 7 may have no editor of settings; plugins are all there when the application has started.
    void app.started.then(() => {
      if (commands.hasCommand('settingeditor:open')) {
        commands.addCommand(CommandIDs.openSettings, {
          label: trans.__('Settings of Pipelines'),
          describedBy: describeArguments({}),
          execute: () => commands.execute('settingeditor:open', { query: 'Pipelines' })
        });
      }
    });

    if (restorer) {
      // One command for all kinds, that a layout can name.
      commands.addCommand(RESTORE, {
        label: trans.__('Restore a Task'),
        describedBy: describeArguments({
          kind: trans.__('Kind of the task'),
          path: trans.__('Path of the notebook'),
          taskId: trans.__('Id of the task')
        }),
        execute: ({ kind, path, taskId }) =>
          commands.execute(TASK_COMMANDS[kind as TaskKind], {
            path: path as string,
            taskId: taskId || null
          })
      });
      void restorer.restore(opened, {
        command: RESTORE,
        args: ({ content: { kind, path, taskId } }) => ({ kind, path, taskId: taskId ?? '' }),
        name: ({ content: { kind, path } }) => `${kind} ${path}`
      });
    }
  }
};

const RESTORE = `${NAMESPACE}:restore-task`;

class TaskWidget extends ReactWidget {
  constructor(
    readonly kind: TaskKind,
    readonly path: string,
    private _taskId: string | null,
    private readonly _app: JupyterFrontEnd,
    private readonly _tracker: PipelineTracker,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-Pipelines');
    this.addClass('jp-Pipelines-taskPanel');
    this.node.tabIndex = -1;
  }

  /** Called when another task is shown. */
  changed = (): void => undefined;

  get taskId(): string | null {
    return this._taskId;
  }

  /** Begin anew, if that needs no form. */
  again(): void {
    if (this.kind !== 'export' && this.kind !== 'import') {
      this.showTask(null);
      this._round += 1;
    }
  }

  /** Show a task from now on; null: the form for a new one. */
  showTask(taskId: string | null): void {
    this._taskId = taskId;
    this.changed();
    this.update();
  }

  protected render(): React.ReactElement {
    const trans = this._trans;
    return (
      <TransContext.Provider value={trans}>
        <React.Suspense fallback={<p>{trans.__('Loading…')}</p>}>
          <View
            key={this._round}
            client={this._tracker.client}
            commands={this._app.commands}
            kind={this.kind}
            path={this.path}
            taskId={this._taskId}
            document={() => {
              const model = this._tracker.find(this.path)?.model;
              return model
                ? { content: model.content(), parameters: model.parsedOverrides.values }
                : null;
            }}
            onTask={taskId => this.showTask(taskId)}
            revealStep={name => void this._revealStep(name)}
          />
        </React.Suspense>
      </TransContext.Provider>
    );
  }

  private async _revealStep(name: string): Promise<void> {
    await this._app.commands.execute('docmanager:open', { path: this.path });
    const notebook = this._tracker.find(this.path);
    if (notebook) {
      await this._app.commands.execute(CommandIDs.openPanel);
      await revealStep(notebook, name);
    }
  }

  private _round = 0;
}
