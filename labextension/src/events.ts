/** The server's events about runs, as one signal. They carry ids only: the truth is fetched. */
import type { Event } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';

import { EventSchemas, type RunEvent } from './tokens';

const SCHEMAS: readonly string[] = [EventSchemas.run, EventSchemas.stepRun];

export class RunEvents {
  constructor(events: Pick<Event.IManager, 'stream'>) {
    events.stream.connect((_, event) => {
      if (SCHEMAS.includes(event.schema_id) && typeof event.run_id === 'string') {
        this._happened.emit({ run_id: event.run_id, path: String(event.path ?? '') });
      }
    });
  }

  /** A run or one of its steps has changed. */
  get happened(): ISignal<this, RunEvent> {
    return this._happened;
  }

  private _happened = new Signal<this, RunEvent>(this);
}
