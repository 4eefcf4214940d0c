/** Gives the other plugins the pipelines of the open notebooks. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { PipelinesClient } from '../client';
import { RunEvents } from '../events';
import { IPipelineTracker, NAMESPACE } from '../tokens';
import { PipelineTracker } from '../tracker';

export const tracker: JupyterFrontEndPlugin<PipelineTracker> = {
  id: `${NAMESPACE}:tracker`,
  description: 'Follows the pipelines of the open notebooks.',
  autoStart: true,
  requires: [INotebookTracker],
  provides: IPipelineTracker,
  activate: (app: JupyterFrontEnd, notebooks: INotebookTracker) =>
    new PipelineTracker(
      new PipelinesClient(app.serviceManager.serverSettings),
      notebooks,
      new RunEvents(app.serviceManager.events)
    )
};
