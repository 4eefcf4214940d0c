/** Puts the panel into the left area, and shows it to whom has not seen it yet. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IMovableSectionRegistry } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { MenuSvg } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import type { MenuItem } from '../components/context';
import { giveRoom } from '../shell';
import { Sidebar } from '../sidebar';
import {
  CommandIDs,
  IPipelineTracker,
  NAMESPACE,
  PANEL_ID,
  PANEL_PLUGIN_ID,
  TRANSLATION_DOMAIN
} from '../tokens';
import { revealCell, revealStep, type PipelineTracker } from '../tracker';

/** Between the running sessions (200), the extensions' usual place and the extension manager (1000). */
const RANK = 600;

/** Pixels that the panel gets when it is shown for the first time. */
const FIRST_WIDTH = 420;

/** Remembers that the panel was shown once: whoever closes it then is left in peace. */
const SHOWN_KEY = `${NAMESPACE}:shown`;

export const panel: JupyterFrontEndPlugin<void> = {
  id: PANEL_PLUGIN_ID,
  description: 'The panel with the pipeline of the notebook in front.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [
    ITranslator,
    ILayoutRestorer,
    ISettingRegistry,
    IStateDB,
    IRenderMimeRegistry,
    IMovableSectionRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: PipelineTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    state: IStateDB | null,
    rendermime: IRenderMimeRegistry | null,
    sections: IMovableSectionRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const { commands, shell } = app;
    const sidebar = new Sidebar(
      tracker,
      {
        commands,
        kernels: () =>
          Object.values(app.serviceManager.kernelspecs.specs?.kernelspecs ?? {})
            .filter(spec => spec !== undefined)
            .filter(({ language }) => /^i?python/i.test(language))
            .map(({ name, display_name: title }) => ({ name, title })),
        openMenu: (below, items) => openMenu(commands, below, items),
        revealCell: (notebook, index, line) => void revealCell(notebook, index, line),
        revealStep: (notebook, name) => void revealStep(notebook, name),
        openRun: ({ model }, runId, step) =>
          void commands.execute(CommandIDs.openRun, {
            path: model.path,
            runId,
            step: step ?? null
          }),
        makeStep: () => void commands.execute(CommandIDs.setStep, { kind: 'step' })
      },
      rendermime,
      trans
    );
    shell.add(sidebar, 'left', { rank: RANK, type: 'Pipeline' });
    restorer?.add(sidebar, PANEL_ID);
    sections?.registerSource(PANEL_ID, trans.__('Pipeline'), sidebar);

    if (settings && state) {
      // Not before: the application's own shortcuts are loaded then, among which it puts ours.
      void app.restored.then(async () => {
        const loaded = await settings.load(PANEL_PLUGIN_ID);
        if (loaded.get('showPanelOnce').composite !== false && !(await state.fetch(SHOWN_KEY))) {
          showWithFirstPipeline(app, sidebar, tracker, state);
        }
      });
    }
  }
};

/** Opens a menu of commands; where it is closed again, the focus goes back to whence it came. */
function openMenu(commands: CommandRegistry, below: Element, items: MenuItem[]): void {
  const menu = new MenuSvg({ commands });
  for (const item of items) {
    menu.addItem(item ?? { type: 'separator' });
  }
  menu.aboutToClose.connect(() => {
    (below as HTMLElement).focus();
    // Not before the command is executed.
    setTimeout(() => menu.dispose());
  });
  const { left, bottom } = below.getBoundingClientRect();
  menu.open(left, bottom);
}

/** Shows the panel as soon as a notebook with steps is in front, once and for all. */
function showWithFirstPipeline(
  app: JupyterFrontEnd,
  sidebar: Sidebar,
  tracker: PipelineTracker,
  state: IStateDB
): void {
  const show = (): void => {
    if ((tracker.current?.pipeline?.steps.length ?? 0) > 0) {
      tracker.changed.disconnect(show);
      if (!sidebar.isVisible) {
        app.shell.activateById(PANEL_ID);
        giveRoom(sidebar, FIRST_WIDTH);
      }
      void state.save(SHOWN_KEY, true);
    }
  };
  tracker.changed.connect(show);
  show();
}
