/** What can be done with a pipeline from the palette, a menu, a toolbar, a shortcut or the panel. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';

import { pipelineIcon } from './components/icons';
import { forecast, forecastSentence } from './forecast';
import { CommandIDs, PANEL_ID } from './tokens';
import type { PipelineTracker } from './tracker';

/** Describes the arguments of a command: strings, by name. */
export function describeArguments(
  required: { [name: string]: string },
  optional: { [name: string]: string } = {}
): { args: ReadonlyJSONObject } {
  const described = Object.entries({ ...required, ...optional }).map(([name, description]) => [
    name,
    { type: 'string', description }
  ]);
  return {
    args: {
      type: 'object',
      properties: Object.fromEntries(described) as ReadonlyJSONObject,
      required: Object.keys(required)
    }
  };
}

export function addCommands(
  app: JupyterFrontEnd,
  tracker: PipelineTracker,
  trans: TranslationBundle
): void {
  const { commands, shell } = app;
  const canRun = (): boolean => {
    const model = tracker.current;
    return (
      !!model &&
      !model.isRunning &&
      (model.drawn?.steps.length ?? 0) > 0 &&
      model.parsedOverrides.wrong.length === 0
    );
  };
  const selected = (args: { step?: unknown }): string | null =>
    typeof args.step === 'string' ? args.step : (tracker.current?.selectedStep ?? null);
  const hasStep = (args: { step?: unknown }): boolean =>
    (tracker.current?.step(selected(args)) ?? null) !== null;
  const isUnderWay = (step: string | null): boolean =>
    tracker.current?.activeRun?.steps.some(
      ({ name, status }) => name === step && (status === 'running' || status === 'queued')
    ) ?? false;
  /** What would be run, after a caption. */
  const withForecast = (caption: string, step?: string | null, force = false): string => {
    const pipeline = tracker.current?.pipeline;
    return pipeline?.state === 'ok'
      ? `${caption}: ${forecastSentence(trans, forecast(pipeline, step ?? undefined, force))}`
      : caption;
  };
  const stepArguments = describeArguments(
    {},
    { step: trans.__('Name of the step; without it, the one that is selected') }
  );
  const noArguments = describeArguments({});
  const runCommands: { [id: string]: CommandRegistry.ICommandOptions } = {
    [CommandIDs.run]: {
      label: trans.__('Run Pipeline'),
      caption: () => withForecast(trans.__('Run the steps that are not up to date')),
      describedBy: noArguments,
      icon: runIcon,
      isEnabled: canRun,
      execute: () => tracker.current?.run()
    },
    [CommandIDs.runToStep]: {
      label: trans.__('Run Pipeline to the Selected Step'),
      caption: args =>
        withForecast(trans.__('Run the selected step and what it needs'), selected(args)),
      describedBy: stepArguments,
      icon: runIcon,
      isEnabled: args => canRun() && hasStep(args),
      execute: args => {
        const step = selected(args);
        return step === null ? undefined : tracker.current?.run({ steps: [step] });
      }
    },
    [CommandIDs.runStepAgain]: {
      label: trans.__('Run the Selected Step Again'),
      caption: args =>
        withForecast(
          trans.__('Run this step even if nothing has changed, and nothing that needs it'),
          selected(args),
          true
        ),
      describedBy: stepArguments,
      isEnabled: args => canRun() && hasStep(args),
      execute: args => {
        const step = selected(args);
        return step === null ? undefined : tracker.current?.run({ steps: [step], force: [step] });
      }
    },
    [CommandIDs.runAllAgain]: {
      label: trans.__('Run All Steps Again'),
      caption: trans.__('Run every step, even those that could be reused'),
      describedBy: noArguments,
      isEnabled: canRun,
      execute: () =>
        tracker.current?.run({ force: tracker.current.drawn?.steps.map(step => step.name) ?? [] })
    },
    [CommandIDs.retry]: {
      label: trans.__('Retry from the Failed Step'),
      caption: trans.__('Run what the last run did not come to, with its parameters'),
      describedBy: noArguments,
      isEnabled: () => canRun() && tracker.current!.failedRun !== null,
      execute: () => {
        const run = tracker.current?.failedRun;
        return run ? tracker.current?.retry(run) : undefined;
      }
    },
    [CommandIDs.cancel]: {
      label: trans.__('Cancel the Pipeline’s Run'),
      caption: trans.__('End the run; finished steps are kept'),
      describedBy: noArguments,
      icon: stopIcon,
      isEnabled: () => tracker.current?.isRunning ?? false,
      execute: () => tracker.current?.cancel()
    },
    [CommandIDs.cancelStep]: {
      label: trans.__('Cancel the Selected Step'),
      caption: trans.__('End this step; what needs it is skipped, the other steps go on'),
      describedBy: stepArguments,
      icon: stopIcon,
      isEnabled: args => isUnderWay(selected(args)),
      execute: args => {
        const step = selected(args);
        return step === null ? undefined : tracker.current?.cancelStep(step);
      }
    }
  };
  for (const [id, options] of Object.entries(runCommands)) {
    commands.addCommand(id, options);
  }
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh the Pipeline'),
    describedBy: noArguments,
    icon: refreshIcon,
    isEnabled: () => tracker.current !== null,
    execute: () => tracker.current?.refresh()
  });
  commands.addCommand(CommandIDs.openPanel, {
    label: args => (args.toolbar ? trans.__('Pipeline') : trans.__('Show the Pipeline')),
    caption: trans.__('Show the pipeline of this notebook'),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          toolbar: { type: 'boolean', description: trans.__('Whether it stands in a toolbar') }
        }
      }
    },
    icon: pipelineIcon,
    execute: () => shell.activateById(PANEL_ID)
  });
  tracker.changed.connect(() => {
    for (const id of Object.keys(runCommands)) {
      commands.notifyCommandChanged(id);
    }
  });
}
