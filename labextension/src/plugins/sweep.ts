/** The command that runs a notebook once for each of many values. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { describeArguments } from '../commands';
import { SweepForm } from '../components/sweepForm';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { PipelineTracker } from '../tracker';

export const sweep: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:sweep`,
  description: 'Runs a notebook with many sets of parameters.',
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
    app.commands.addCommand(CommandIDs.sweep, {
      label: trans.__('Sweep over Parameters…'),
      caption: trans.__('Run the notebook once for each of many values of its parameters'),
      describedBy: describeArguments({}),
      isEnabled: () =>
        (tracker.current?.drawn?.parameters.length ?? 0) > 0 &&
        tracker.current!.parsedOverrides.wrong.length === 0,
      execute: async () => {
        const model = tracker.current;
        if (!model?.drawn) {
          return;
        }
        const { button, value } = await showDialog({
          title: trans.__('Sweep over parameters'),
          body: new SweepForm(model.drawn.parameters, model.parsedOverrides.values, trans),
          buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Start') })],
          focusNodeSelector: 'input'
        });
        if (button.accept && value) {
          await model.sweep(value.sets, value.parallel);
        }
      }
    });
    palette?.addItem({ command: CommandIDs.sweep, category: trans.__('Pipeline') });
  }
};
