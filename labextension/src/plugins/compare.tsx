/** Opens runs side by side in the main area. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IThemeManager, MainAreaWidget, ReactWidget, WidgetTracker } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { PipelinesClient } from '../client';
import { RenderContext, TransContext } from '../components/context';
import { pipelineIcon } from '../components/icons';
import { addToMain } from '../shell';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { PipelineTracker } from '../tracker';

const View = React.lazy(() => import('../panels/compare/view'));

export const compare: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:compare`,
  description: 'Compares runs side by side.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [ITranslator, ILayoutRestorer, IRenderMimeRegistry, IThemeManager],
  activate: (
    app: JupyterFrontEnd,
    { client }: PipelineTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    rendermime: IRenderMimeRegistry | null,
    themes: IThemeManager | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const opened = new WidgetTracker<MainAreaWidget<Comparison>>({
      namespace: `${NAMESPACE}-comparisons`
    });
    app.commands.addCommand(CommandIDs.compareRuns, {
      label: trans.__('Compare Runs'),
      caption: trans.__('Show runs of a notebook side by side'),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            path: { type: 'string', description: trans.__('Path of the notebook') },
            runIds: {
              type: 'array',
              items: { type: 'string' },
              minItems: 1,
              maxItems: 50,
              description: trans.__('Ids of the runs')
            }
          },
          required: ['path', 'runIds']
        }
      },
      execute: args => {
        const path = String(args.path ?? '');
        const runIds = Array.isArray(args.runIds) ? args.runIds.map(String) : [];
        if (runIds.length === 0) {
          return;
        }
        const id = `${NAMESPACE}:comparison:${runIds.join(':')}`;
        const known = opened.find(widget => widget.id === id);
        if (known) {
          app.shell.activateById(id);
          return;
        }
        const content = new Comparison(path, runIds, client, { rendermime, themes, trans });
        const widget = new MainAreaWidget({ content });
        widget.id = id;
        widget.title.label = trans.__(
          '%1: %2 runs',
          PathExt.basename(path, '.ipynb'),
          runIds.length
        );
        widget.title.caption = trans.__('Runs of %1 side by side', path);
        widget.title.icon = pipelineIcon;
        widget.title.closable = true;
        widget.toolbar.hide();
        void opened.add(widget);
        addToMain(app, widget);
      }
    });
    if (restorer) {
      void restorer.restore(opened, {
        command: CommandIDs.compareRuns,
        args: ({ content: { path, runIds } }) => ({ path, runIds: [...runIds] }),
        name: ({ content }) => content.runIds.join(' ')
      });
    }
  }
};

interface Surroundings {
  rendermime: IRenderMimeRegistry | null;
  themes: IThemeManager | null;
  trans: TranslationBundle;
}

class Comparison extends ReactWidget {
  constructor(
    readonly path: string,
    readonly runIds: readonly string[],
    private readonly _client: PipelinesClient,
    private readonly _surroundings: Surroundings
  ) {
    super();
    this.addClass('jp-Pipelines');
    this.addClass('jp-Pipelines-compare');
    this.node.tabIndex = -1;
    _surroundings.themes?.themeChanged.connect(this._onTheme, this);
  }

  protected render(): React.ReactElement {
    const { rendermime, themes, trans } = this._surroundings;
    return (
      <TransContext.Provider value={trans}>
        <RenderContext.Provider value={rendermime}>
          <React.Suspense fallback={<p>{trans.__('Loading…')}</p>}>
            <View
              client={this._client}
              path={this.path}
              runIds={this.runIds}
              theme={themes?.theme ?? ''}
            />
          </React.Suspense>
        </RenderContext.Provider>
      </TransContext.Provider>
    );
  }

  private _onTheme(): void {
    // The style sheet of the new theme is there, the page shows it in the next frame.
    requestAnimationFrame(() => this.update());
  }
}
