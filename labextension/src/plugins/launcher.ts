/** Offers a notebook with six stages to whoever begins. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { describeArguments } from '../commands';
import { pipelineIcon } from '../components/icons';
import { templateNotebook } from '../template';
import { CommandIDs, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';

/** The icon of the panel in the colour of Jupyter's notebooks: a picture does not know the theme. */
const LAUNCHER_PICTURE = `data:image/svg+xml,${encodeURIComponent(
  pipelineIcon.svgstr.replaceAll('#616161', '#f37726')
)}`;

export const launcher: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:launcher`,
  description: 'Makes a new notebook that is a pipeline.',
  autoStart: true,
  optional: [ITranslator, ILauncher, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    launcher: ILauncher | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const { commands, serviceManager } = app;
    commands.addCommand(CommandIDs.newPipeline, {
      label: args =>
        args.isLauncher ? trans.__('Pipeline Notebook') : trans.__('New Pipeline Notebook'),
      caption: trans.__('A notebook with six stages, from collecting data to deploying a model'),
      describedBy: describeArguments({}, { cwd: trans.__('Folder of the new notebook') }),
      icon: pipelineIcon,
      execute: async args => {
        const { contents } = serviceManager;
        const made = await contents.newUntitled({
          path: typeof args.cwd === 'string' ? args.cwd : '',
          type: 'notebook'
        });
        await contents.save(made.path, {
          type: 'notebook',
          format: 'json',
          content: templateNotebook(trans)
        });
        // The launcher makes way for the widget that it gets.
        return (await commands.execute('docmanager:open', {
          path: made.path,
          factory: 'Notebook'
        })) as unknown;
      }
    });
    launcher?.add({
      command: CommandIDs.newPipeline,
      args: { isLauncher: true },
      category: trans.__('Notebook'),
      // Among notebooks the launcher shows pictures only, no icons.
      kernelIconUrl: LAUNCHER_PICTURE,
      rank: 10
    });
    palette?.addItem({ command: CommandIDs.newPipeline, category: trans.__('Pipeline') });
  }
};
