/** The server's events about runs and tasks, as signals. They carry ids only: the truth is fetched. */
import type { Event } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';

import { EventSchemas, type RunEvent } from './tokens';

const SCHEMAS: readonly string[] = [EventSchemas.run, EventSchemas.stepRun];

/** The schema file of a notebook went with it, or stayed because another was in the way. */
export interface SchemaFileEvent {
  path: string;
  before: string;
  isMoved: boolean;
}

export class RunEvents {
  constructor(events: Pick<Event.IManager, 'stream'>) {
    events.stream.connect((_, event) => {
      if (event.schema_id === EventSchemas.schemaFile) {
        const { path, before, status } = event;
        this._schemaFileHappened.emit({
          path: String(path),
          before: String(before),
          isMoved: status === 'moved'
        });
      } else if (event.schema_id === EventSchemas.task) {
        this._taskHappened.emit();
      } else if (SCHEMAS.includes(event.schema_id) && typeof event.run_id === 'string') {
        this._happened.emit({ run_id: event.run_id, path: String(event.path ?? '') });
      }
    });
  }

  /** A run or one of its steps has changed. */
  get happened(): ISignal<this, RunEvent> {
    return this._happened;
  }

  /** A task has begun or ended. */
  get taskHappened(): ISignal<this, void> {
    return this._taskHappened;
  }

  /** A notebook that has a schema file was renamed. */
  get schemaFileHappened(): ISignal<this, SchemaFileEvent> {
    return this._schemaFileHappened;
  }

  private _schemaFileHappened = new Signal<this, SchemaFileEvent>(this);
  private _happened = new Signal<this, RunEvent>(this);
  private _taskHappened = new Signal<this, void>(this);
}
