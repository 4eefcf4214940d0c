/** Opens the data of a run in the main area: its tables, their statistics, its anomalies. */
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
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { describeArguments } from '../commands';
import { RenderContext, TransContext } from '../components/context';
import { pipelineIcon } from '../components/icons';
import type { Target } from '../panels/statistics/run';
import { addToMain } from '../shell';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import { revealCell, revealStep, type OpenNotebook, type PipelineTracker } from '../tracker';

const View = React.lazy(() => import('../panels/statistics/run'));

export const data: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:data`,
  description: 'Shows the tables of a run, their statistics and anomalies.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [ITranslator, ILayoutRestorer, IRenderMimeRegistry, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: PipelineTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    rendermime: IRenderMimeRegistry | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const opened = new WidgetTracker<MainAreaWidget<RunData>>({ namespace: `${NAMESPACE}-data` });
    const openFile = (path: string): void => {
      app.commands.execute('docmanager:open', { path }).catch((error: unknown) => {
        Notification.error(String(error));
      });
    };
    app.commands.addCommand(CommandIDs.openData, {
      label: trans.__('Open the Data of a Run'),
      caption: trans.__('Show the tables of a run, their statistics and anomalies'),
      describedBy: describeArguments(
        {},
        {
          path: trans.__('Path of the notebook; without it, the one in front'),
          runId: trans.__('Id of the run; without it, the one that is shown, or the newest'),
          table: trans.__('As `step.name`; without it, the anomalies of the run'),
          column: trans.__('A column of the table')
        }
      ),
      isEnabled: args => typeof args.runId === 'string' || newestRun(tracker) !== null,
      execute: args => {
        const path = text(args.path) ?? tracker.current?.path;
        const runId = text(args.runId) ?? newestRun(tracker);
        if (path === undefined || runId === null) {
          return;
        }
        const target: Target = { table: text(args.table), column: text(args.column) };
        const id = `${NAMESPACE}:data:${runId}`;
        const known = opened.find(widget => widget.id === id);
        if (known) {
          known.content.look(target);
          app.shell.activateById(id);
          return;
        }
        const content = new RunData(path, runId, target, tracker, {
          rendermime,
          trans,
          openFile,
          activate: widgetId => app.shell.activateById(widgetId)
        });
        const widget = new MainAreaWidget({ content });
        widget.id = id;
        widget.title.label = trans.__('%1: data', PathExt.basename(path, '.ipynb'));
        widget.title.caption = trans.__('Data of run %1 of %2', runId, path);
        widget.title.icon = pipelineIcon;
        widget.title.closable = true;
        widget.toolbar.hide();
        void opened.add(widget);
        content.looked = () => void opened.save(widget);
        addToMain(app, widget);
      }
    });
    palette?.addItem({ command: CommandIDs.openData, category: trans.__('Pipeline') });
    if (restorer) {
      void restorer.restore(opened, {
        command: CommandIDs.openData,
        args: ({ content: { path, runId, target } }) => ({ path, runId, ...target }),
        name: ({ content }) => content.runId
      });
    }
  }
};

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function newestRun({ current }: PipelineTracker): string | null {
  return current?.shownRun?.run_id ?? current?.runs.at(0)?.run_id ?? null;
}

interface Surroundings {
  rendermime: IRenderMimeRegistry | null;
  trans: TranslationBundle;
  openFile(path: string): void;
  /** Bring a widget to the front. */
  activate(id: string): void;
}

class RunData extends ReactWidget {
  constructor(
    readonly path: string,
    readonly runId: string,
    public target: Target,
    private readonly _tracker: PipelineTracker,
    private readonly _surroundings: Surroundings
  ) {
    super();
    this.addClass('jp-Pipelines');
    this.addClass('jp-Pipelines-main');
    this.node.tabIndex = -1;
  }

  /** Called when something else is looked at. */
  looked: () => void = () => undefined;

  look(target: Target): void {
    this.target = target;
    this.update();
    this.looked();
  }

  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus();
  }

  protected render(): React.ReactElement {
    const { rendermime, trans, openFile } = this._surroundings;
    const folder = PathExt.dirname(this.path);
    return (
      <TransContext.Provider value={trans}>
        <RenderContext.Provider value={rendermime}>
          <React.Suspense fallback={<p>{trans.__('Loading…')}</p>}>
            <View
              client={this._tracker.client}
              path={this.path}
              runId={this.runId}
              target={this.target}
              onTarget={target => this.look(target)}
              revealCell={index => this._withNotebook(notebook => revealCell(notebook, index))}
              revealStep={name => this._withNotebook(notebook => revealStep(notebook, name))}
              openFile={name => openFile(PathExt.join(folder, name))}
            />
          </React.Suspense>
        </RenderContext.Provider>
      </TransContext.Provider>
    );
  }

  /** Show the notebook, opened if it is not, and something of it. */
  private _withNotebook(action: (notebook: OpenNotebook) => Promise<void>): void {
    const notebook = this._tracker.find(this.path);
    if (notebook) {
      this._surroundings.activate(notebook.panel.id);
      void action(notebook);
    } else {
      this._surroundings.openFile(this.path);
    }
  }
}
