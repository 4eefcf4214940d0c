/** Tells that a run or a task has ended, where it took long enough to look away. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { LocatedRun } from '../activeRuns';
import { TASK_COMMANDS, taskTitle } from '../activeTasks';
import {
  CommandIDs,
  IPipelineTracker,
  NAMESPACE,
  PANEL_PLUGIN_ID,
  TRANSLATION_DOMAIN,
  type TaskSummary
} from '../tokens';
import type { PipelineTracker } from '../tracker';
import { formatDuration } from '../units';

/** Unless the settings say otherwise. */
const LONG_SECONDS = 30;

/** The file beside a notebook that says what is expected of its tables. */
function schemaFileOf(path: string): string {
  return PathExt.join(PathExt.dirname(path), `${PathExt.basename(path, '.ipynb')}.schema.yaml`);
}

export const news: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:news`,
  description: 'Notifies about the end of long runs and tasks.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    { activeRuns, activeTasks, events }: PipelineTracker,
    translator: ITranslator | null,
    settings: ISettingRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    let longSeconds = LONG_SECONDS;
    // When the application has loaded its own settings, among which it puts our shortcuts.
    void app.restored.then(async () => {
      const loaded = await settings?.load(PANEL_PLUGIN_ID);
      if (!loaded) {
        return;
      }
      const read = (): void => {
        longSeconds = Number(loaded.get('notifyAfterSeconds').composite ?? LONG_SECONDS);
      };
      loaded.changed.connect(read);
      read();
    });
    activeRuns.ended.connect((_, located) => {
      const seconds = located.run.duration_seconds ?? 0;
      if (longSeconds > 0 && seconds >= longSeconds) {
        tell(located, seconds);
      }
    });

    activeTasks.ended.connect((_, task) => {
      const { created_at, finished_at, kind, path } = task;
      const seconds = finished_at ? (Date.parse(finished_at) - Date.parse(created_at)) / 1000 : 0;
      if (longSeconds > 0 && seconds >= longSeconds) {
        tellTask(task, taskTitle(trans, kind, path), formatDuration(seconds));
      }
    });

    events.schemaFileHappened.connect((_, { path, before, isMoved }) => {
      const [old, now] = [schemaFileOf(before), schemaFileOf(path)];
      const open = {
        label: trans.__('Open'),
        callback: () => void app.commands.execute('docmanager:open', { path: now })
      };
      if (isMoved) {
        Notification.info(trans.__('The schema file went with the notebook: it is %1 now.', now), {
          autoClose: 8000,
          actions: [open]
        });
      } else {
        Notification.warning(
          trans.__('%1 was there already and counts from now on; %2 stays where it is.', now, old),
          { autoClose: false, actions: [open] }
        );
      }
    });

    function tellTask(
      { kind, path, status, task_id }: TaskSummary,
      title: string,
      time: string
    ): void {
      const actions = [
        {
          label: trans.__('Show'),
          callback: () => void app.commands.execute(TASK_COMMANDS[kind], { path, taskId: task_id })
        }
      ];
      if (status === 'succeeded') {
        Notification.success(trans.__('%1: done after %2.', title, time), { actions });
      } else if (status === 'failed') {
        Notification.error(trans.__('%1: failed after %2.', title, time), {
          actions,
          autoClose: false
        });
      }
    }

    function tell({ path, run }: LocatedRun, seconds: number): void {
      const name = PathExt.basename(path, '.ipynb');
      const time = formatDuration(seconds);
      const actions = [
        {
          label: trans.__('Show'),
          callback: () =>
            void app.commands
              .execute('docmanager:open', { path })
              .then(() => app.commands.execute(CommandIDs.openPanel))
        }
      ];
      const failed = run.steps.filter(step => step.status === 'failed').map(step => step.name);
      switch (run.status) {
        case 'succeeded':
          Notification.success(trans.__('The run of %1 succeeded after %2.', name, time), {
            actions
          });
          break;
        case 'failed':
          Notification.error(
            trans.__('The run of %1 failed after %2: %3', name, time, failed.join(', ')),
            { actions, autoClose: false }
          );
          break;
        case 'interrupted':
          Notification.warning(trans.__('The run of %1 was interrupted.', name), { actions });
          break;
      }
    }
  }
};
