/** An anomaly, and what can be done about it: see its rows, find where it came in, agree to it. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import { Words } from '../../components/words';
import type { Anomaly, AnomalyName, FailingRows, JSONValue, Trace } from '../../tokens';
import { Chip } from './anomalies';
import { kindWords } from './rows';
import { useSource } from './source';

export function AnomalyCard({ anomaly }: { anomaly: Anomaly }): React.ReactElement {
  const trans = useTrans();
  const { client, path, runId, table, against } = useSource();
  const { kind, severity, description, first } = anomaly;
  const name: AnomalyName = {
    kind,
    feature: anomaly.feature,
    ...(anomaly.check ? { check: anomaly.check } : {})
  };
  const rows = useAsked<FailingRows>(() => client.failingRows(path, runId, table, name));
  const trace = useAsked<Trace>(() => client.trace(path, runId, table, name));
  // What a person has chosen to compare with is no fault of the run.
  const isOfRun = against === '';
  return (
    <div className="jp-Pipelines-card" data-severity={severity}>
      <p>
        <Chip verdict={{ severity, words: kindWords(kind), sentence: description }} />{' '}
        <Words text={description} />
      </p>
      {first && `${first.step}.${first.output}` !== table ? (
        <p className="jp-Pipelines-small">
          <Words text={trans.__('First seen in `%1` of step `%2`.', first.output, first.step)} />
        </p>
      ) : null}
      {isOfRun ? (
        <div className="jp-Pipelines-buttons">
          <button
            className="jp-Pipelines-smallButton"
            disabled={rows.isAsked}
            aria-expanded={rows.value !== null}
            onClick={() => (rows.value ? rows.forget() : rows.ask())}
          >
            {rows.value ? trans.__('Hide rows') : trans.__('Show rows')}
          </button>
          <button
            className="jp-Pipelines-smallButton"
            disabled={trace.isAsked}
            title={trans.__(
              'Run the cells of the step again, apart from all else, until it appears'
            )}
            onClick={() => trace.ask()}
          >
            {trace.isAsked ? trans.__('Searching…') : trans.__('Find the cell')}
          </button>
          <Accept anomaly={name} isAccepted={anomaly.accepted ?? false} />
        </div>
      ) : null}
      {rows.error || trace.error ? (
        <p className="jp-Pipelines-wrong" role="alert">
          {rows.error || trace.error}
        </p>
      ) : null}
      {trace.value ? <TraceView trace={trace.value} /> : null}
      {rows.value ? <RowsView rows={rows.value} /> : null}
    </div>
  );
}

/** What agreeing has done. */
interface Done {
  file: string;
  /** Its text. */
  before: string;
  after: string;
  /** What was written there. */
  keys: string[];
}

/** Agrees to an anomaly, and takes that back. */
function Accept(props: { anomaly: AnomalyName; isAccepted: boolean }): React.ReactElement {
  const trans = useTrans();
  const source = useSource();
  const { client, path, runId, table } = source;
  const [done, setDone] = React.useState<Done | null>(null);
  const [error, setError] = React.useState('');
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    setError('');
    try {
      await action();
    } catch (reason) {
      setError(inWords(reason));
    }
  };
  const accept = (): Promise<void> =>
    attempt(async () => {
      const { text: before } = await client.schemas(path);
      const { file, text, changed } = await client.accept(path, runId, table, props.anomaly);
      setDone({ file, before, after: text, keys: changed });
    });
  const undo = ({ file, before, after }: Done): Promise<void> =>
    attempt(async () => {
      const { text } = await client.schemas(path);
      if (text !== after) {
        throw new Error(trans.__('%1 was changed since then.', file));
      }
      if (before !== after) {
        await client.writeSchemas(path, before);
      }
      await client.withdraw(path, runId, table, props.anomaly);
      setDone(null);
    });
  return (
    <>
      {done ? (
        <span className="jp-Pipelines-done" role="status">
          {done.keys.length > 0
            ? trans.__('Written into %1.', done.file)
            : trans.__('Accepted for this run; the schema file has no word for it.')}{' '}
          <button className="jp-Pipelines-link" onClick={() => void undo(done)}>
            {trans.__('Undo')}
          </button>
          {source.openFile && done.keys.length > 0 ? (
            <button className="jp-Pipelines-link" onClick={() => source.openFile?.(done.file)}>
              {trans.__('Open')}
            </button>
          ) : null}
        </span>
      ) : (
        <button
          className="jp-Pipelines-smallButton"
          disabled={props.isAccepted}
          title={trans.__('Write into the schema file that this is as it should be')}
          onClick={() => void accept()}
        >
          {props.isAccepted ? trans.__('Accepted') : trans.__('Accept')}
        </button>
      )}
      {error ? <span className="jp-Pipelines-wrong">{error}</span> : null}
    </>
  );
}

function TraceView({ trace }: { trace: Trace }): React.ReactElement {
  const trans = useTrans();
  const { revealCell } = useSource();
  const { cell_index: index } = trace;
  return (
    <div role="status">
      <p>
        <Words text={trace.message} />{' '}
        {index !== null && revealCell ? (
          <button className="jp-Pipelines-link" onClick={() => revealCell(index)}>
            {trans.__('Go to cell %1', index + 1)}
          </button>
        ) : null}
      </p>
      {trace.source ? <pre tabIndex={0}>{trace.source}</pre> : null}
      {trace.warnings.map(warning => (
        <p key={warning} className="jp-Pipelines-small">
          <Words text={warning} />
        </p>
      ))}
    </div>
  );
}

function RowsView({ rows }: { rows: FailingRows }): React.ReactElement {
  const trans = useTrans();
  return (
    <>
      <p className="jp-Pipelines-small">
        <Words text={rows.message} />
      </p>
      {rows.rows.length > 0 ? (
        <div
          className="jp-Pipelines-table"
          tabIndex={0}
          role="region"
          aria-label={trans.__('Rows of the anomaly')}
        >
          <table>
            <thead>
              <tr>
                <td />
                {rows.columns.map((column, at) => (
                  <th key={at} scope="col">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.rows.map(row => (
                <tr key={row.position}>
                  <th scope="row">{cellText(row.index)}</th>
                  {row.values.map((value, at) => (
                    <td key={at} data-guilty={at === 0 || undefined}>
                      {value === null ? <em>{trans.__('null')}</em> : cellText(value)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {rows.total > rows.rows.length ? (
        <p className="jp-Pipelines-small">
          {trans.__(
            '%1 of %2 such rows, %3 rows in all',
            rows.rows.length.toLocaleString(),
            rows.total.toLocaleString(),
            rows.of.toLocaleString()
          )}
        </p>
      ) : null}
    </>
  );
}

function cellText(value: JSONValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

interface Asked<T> {
  value: T | null;
  error: string;
  isAsked: boolean;
  ask(): void;
  forget(): void;
}

/** Something that is asked for by a click. */
function useAsked<T>(question: () => Promise<T>): Asked<T> {
  const [value, setValue] = React.useState<T | null>(null);
  const [error, setError] = React.useState('');
  const [isAsked, setAsked] = React.useState(false);
  return {
    value,
    error,
    isAsked,
    forget: () => setValue(null),
    ask: () => {
      setAsked(true);
      setError('');
      question()
        .then(setValue, (reason: unknown) => setError(inWords(reason)))
        .finally(() => setAsked(false));
    }
  };
}

function inWords(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
