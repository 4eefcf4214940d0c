/** Adds the commands, and lists them in the palette. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addCommands } from '../commands';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { PipelineTracker } from '../tracker';

export const commands: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:commands`,
  description: 'The commands of the pipeline.',
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
    addCommands(app, tracker, trans);
    for (const command of [
      CommandIDs.run,
      CommandIDs.runToStep,
      CommandIDs.runStepAgain,
      CommandIDs.runAllAgain,
      CommandIDs.retry,
      CommandIDs.cancel,
      CommandIDs.cancelStep,
      CommandIDs.openPanel,
      CommandIDs.setStep,
      CommandIDs.refresh
    ]) {
      palette?.addItem({ command, category: trans.__('Pipeline') });
    }
  }
};
