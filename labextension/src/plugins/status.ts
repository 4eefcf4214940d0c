/** Tells in the status bar how far the runs are that are under way. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { progressOf } from '../activeRuns';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { PipelineTracker } from '../tracker';

export const status: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:status`,
  description: 'Shows runs of pipelines in the status bar.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    { activeRuns }: PipelineTracker,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!statusBar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const button = document.createElement('button');
    button.className = 'jp-Pipelines-status';
    button.title = trans.__('Show the pipeline');
    button.addEventListener('click', () => void app.commands.execute(CommandIDs.openPanel));
    const item = new Widget();
    item.node.appendChild(button);
    const stateChanged = new Signal<Widget, void>(item);
    activeRuns.changed.connect(() => {
      const { all } = activeRuns;
      if (all.length === 1) {
        const [{ path, run }] = all;
        const [done, total] = progressOf(run);
        button.textContent = trans._n(
          '%2: %3 of %1 step',
          '%2: %3 of %1 steps',
          total,
          PathExt.basename(path, '.ipynb'),
          done
        );
      } else {
        button.textContent = trans.__('%1 pipeline runs', all.length);
      }
      stateChanged.emit();
    });
    statusBar.registerStatusItem(status.id, {
      item,
      align: 'left',
      rank: 20,
      isActive: () => activeRuns.all.length > 0,
      activeStateChanged: stateChanged
    });
  }
};
