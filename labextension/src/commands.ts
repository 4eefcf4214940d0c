/** What can be done with a pipeline from the palette, a toolbar, a shortcut or the panel. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';

import { pipelineIcon } from './components/icons';
import { CommandIDs, PANEL_ID } from './tokens';
import type { PipelineTracker } from './tracker';

export function addCommands(
  app: JupyterFrontEnd,
  tracker: PipelineTracker,
  trans: TranslationBundle
): void {
  const { commands, shell } = app;
  const canRun = (): boolean => {
    const model = tracker.current;
    return !!model && !model.isRunning && (model.drawn?.steps.length ?? 0) > 0;
  };
  const selected = (args: { step?: unknown }): string | null =>
    typeof args.step === 'string' ? args.step : (tracker.current?.selectedStep ?? null);

  commands.addCommand(CommandIDs.run, {
    label: trans.__('Run Pipeline'),
    caption: trans.__('Run the steps of this notebook that are not up to date'),
    icon: runIcon,
    isEnabled: canRun,
    execute: () => tracker.current?.run()
  });
  commands.addCommand(CommandIDs.runToStep, {
    label: trans.__('Run Pipeline to the Selected Step'),
    caption: trans.__('Run the selected step and what it needs'),
    icon: runIcon,
    isEnabled: args => canRun() && tracker.current!.step(selected(args)) !== null,
    execute: args => tracker.current?.run(selected(args) ?? undefined)
  });
  commands.addCommand(CommandIDs.cancel, {
    label: trans.__('Cancel the Pipeline’s Run'),
    caption: trans.__('End the run; finished steps are kept'),
    icon: stopIcon,
    isEnabled: () => tracker.current?.isRunning ?? false,
    execute: () => tracker.current?.cancel()
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh the Pipeline'),
    icon: refreshIcon,
    isEnabled: () => tracker.current !== null,
    execute: () => tracker.current?.refresh()
  });
  commands.addCommand(CommandIDs.openPanel, {
    label: args => (args.toolbar ? trans.__('Pipeline') : trans.__('Show the Pipeline')),
    caption: trans.__('Show the pipeline of this notebook'),
    icon: pipelineIcon,
    execute: () => shell.activateById(PANEL_ID)
  });
  tracker.changed.connect(() => {
    for (const id of [CommandIDs.run, CommandIDs.runToStep, CommandIDs.cancel]) {
      commands.notifyCommandChanged(id);
    }
  });
}
