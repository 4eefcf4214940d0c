/** Lists the runs and tasks that are under way among the running sessions, where shutting down cancels them. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PathExt, Time } from '@jupyterlab/coreutils';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { progressOf } from '../activeRuns';
import { TASK_COMMANDS, taskTitle } from '../activeTasks';
import { pipelineIcon } from '../components/icons';
import { CommandIDs, IPipelineTracker, NAMESPACE, TRANSLATION_DOMAIN } from '../tokens';
import type { PipelineTracker } from '../tracker';

export const running: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:running`,
  description: 'Lists runs of pipelines, exports and the like among the running sessions.',
  autoStart: true,
  requires: [IPipelineTracker],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    { activeRuns, activeTasks }: PipelineTracker,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    managers?.add({
      name: trans.__('Pipeline runs'),
      running: () =>
        activeRuns.all.map(located => {
          const { path, run } = located;
          const [done, total] = progressOf(run);
          return {
            open: async () => {
              await app.commands.execute('docmanager:open', { path });
              await app.commands.execute(CommandIDs.openPanel);
            },
            shutdown: () => void activeRuns.cancel(located),
            icon: () => pipelineIcon,
            label: () => PathExt.basename(path),
            labelTitle: () =>
              trans.__('%1\nRun %2\n%3 of %4 steps done', path, run.run_id, done, total),
            detail: () => trans._n('%2 of %1 step', '%2 of %1 steps', total, done)
          };
        }),
      shutdownAll: () => activeRuns.all.forEach(located => void activeRuns.cancel(located)),
      refreshRunning: () => void activeRuns.refresh(),
      runningChanged: activeRuns.changed,
      shutdownLabel: trans.__('Cancel'),
      shutdownAllLabel: trans.__('Cancel All'),
      shutdownAllConfirmationText: trans.__('Cancel all runs? Finished steps are kept.')
    });
    managers?.add({
      name: trans.__('Pipeline tasks'),
      running: () =>
        activeTasks.all.map(task => ({
          open: () =>
            void app.commands.execute(TASK_COMMANDS[task.kind], {
              path: task.path,
              taskId: task.task_id
            }),
          shutdown: () => activeTasks.cancel(task),
          icon: () => pipelineIcon,
          label: () => taskTitle(trans, task.kind, task.path),
          labelTitle: () => task.path,
          detail: () => Time.formatHuman(new Date(task.created_at))
        })),
      shutdownAll: () => activeTasks.all.forEach(task => void activeTasks.cancel(task)),
      refreshRunning: () => void activeTasks.refresh(),
      runningChanged: activeTasks.changed,
      shutdownLabel: trans.__('Cancel'),
      shutdownAllLabel: trans.__('Cancel All'),
      shutdownAllConfirmationText: trans.__('Cancel all exports, verifications and the like?')
    });
  }
};
