/** All that a run has left: its anomalies, and each of its tables, in the main area. */
import * as React from 'react';

import type { PipelinesClient } from '../../client';
import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import { PreviewView } from '../../components/preview';
import { Words } from '../../components/words';
import { isActive, type Anomaly, type Output, type Run } from '../../tokens';
import { formatValue } from '../../units';
import { runName } from './against';
import { Chip } from './anomalies';
import { gravestFirst, kindWords } from './rows';
import { SeverityIcon } from './severity';
import TableView from './table';

/** A run that is under way is looked at this often. */
const POLL_MS = 3000;
/** Tables are measured beside a run: so long after its end there may be news of them. */
const LATE_NEWS_MS = 20_000;

/** What is looked at. */
export interface Target {
  /** As `step.name`; null for the anomalies of the run. */
  table: string | null;
  column: string | null;
}

interface RunDataProps {
  client: PipelinesClient;
  path: string;
  runId: string;
  target: Target;
  onTarget(target: Target): void;
  revealCell: ((index: number) => void) | null;
  revealStep: ((name: string) => void) | null;
  openFile: (name: string) => void;
}

/** One value that a step has left, with what was found in it. */
interface Item {
  step: string;
  output: Output;
  table: string;
  anomalies: Anomaly[];
}

export default function RunData(props: RunDataProps): React.ReactElement {
  const { client, path, runId, target, onTarget } = props;
  const trans = useTrans();
  const [round, setRound] = React.useState(0);
  const [run, setRun] = React.useState<Run | null>(null);
  const { value, error } = useFetched(`${round} ${runId}`, () => client.run(path, runId));
  React.useEffect(() => {
    if (!value) {
      return;
    }
    setRun(value);
    const timer = mayChange(value)
      ? setTimeout(() => setRound(old => old + 1), POLL_MS)
      : undefined;
    return () => clearTimeout(timer);
  }, [value]);
  if (error) {
    return (
      <p className="jp-Pipelines-wrong" role="alert">
        {error}
      </p>
    );
  }
  if (!run) {
    return <p className="jp-Pipelines-loading">{trans.__('Reading the run…')}</p>;
  }
  const items = itemsOf(run);
  const chosen = items.find(({ table }) => table === target.table) ?? null;
  const anomalies = items.flatMap(item => item.anomalies.map(anomaly => ({ ...anomaly, item })));
  return (
    <div className="jp-Pipelines-data">
      <nav aria-label={trans.__('Data of the run')}>
        <p className="jp-Pipelines-dataRun" title={runId}>
          {trans.__(
            'Run of %1',
            runName({ ...run, tags: run.tags ?? [], comment: run.comment ?? '' })
          )}
        </p>
        <button
          className="jp-Pipelines-dataItem"
          aria-current={chosen ? undefined : 'page'}
          onClick={() => onTarget({ table: null, column: null })}
        >
          <span>{trans.__('Anomalies')}</span>
          <span className="jp-Pipelines-count">{anomalies.length}</span>
        </button>
        {run.steps.map(({ name }) => {
          const left = items.filter(item => item.step === name);
          return left.length > 0 ? (
            <section key={name} aria-label={name}>
              <h2>{name}</h2>
              <ul>
                {left.map(item => (
                  <li key={item.table}>
                    <button
                      className="jp-Pipelines-dataItem"
                      data-table={item.table}
                      aria-current={item === chosen ? 'page' : undefined}
                      title={item.output.type}
                      onClick={() => onTarget({ table: item.table, column: null })}
                    >
                      <code>{item.output.name}</code>
                      <Count anomalies={item.anomalies} />
                      <small>{formatValue(item.output.summary)}</small>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          ) : null;
        })}
      </nav>
      <div
        className="jp-Pipelines-dataBody"
        role="region"
        aria-label={chosen ? chosen.table : trans.__('Anomalies')}
      >
        {chosen ? (
          <>
            <header className="jp-Pipelines-dataHead">
              <h1>
                <code>{chosen.output.name}</code>
                <small>
                  {trans.__('left by step')}{' '}
                  {props.revealStep ? (
                    <button
                      className="jp-Pipelines-link"
                      onClick={() => props.revealStep?.(chosen.step)}
                    >
                      {chosen.step}
                    </button>
                  ) : (
                    chosen.step
                  )}
                </small>
              </h1>
              <p className="jp-Pipelines-note">
                {[
                  chosen.output.type,
                  formatValue(chosen.output.summary),
                  trans.__('stored as %1', chosen.output.materializer)
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </p>
            </header>
            <TableView
              key={`${runId} ${chosen.table}`}
              client={client}
              path={path}
              runId={runId}
              table={chosen.table}
              tables={items.map(({ table }) => table)}
              initialColumn={target.column}
              findings={chosen.anomalies.length}
              revealCell={props.revealCell}
              openFile={props.openFile}
              isWhole
            />
            <Preview client={client} path={path} digest={chosen.output.digest} />
          </>
        ) : (
          <RunAnomalies
            anomalies={anomalies}
            isActive={isActive(run.status)}
            onShow={(table, column) => onTarget({ table, column })}
            revealStep={props.revealStep}
          />
        )}
      </div>
    </div>
  );
}

function mayChange({ status, finished_at: end }: Run): boolean {
  return isActive(status) || (end !== null && Date.now() - Date.parse(end) < LATE_NEWS_MS);
}

/** All values that the steps have left, with what was found in each. */
function itemsOf(run: Run): Item[] {
  return run.steps.flatMap(step =>
    step.outputs.map(output => ({
      step: step.name,
      output,
      table: `${step.name}.${output.name}`,
      anomalies: (step.anomalies ?? []).filter(anomaly => anomaly.output === output.name)
    }))
  );
}

function Count({ anomalies }: { anomalies: readonly Anomaly[] }): React.ReactElement | null {
  const trans = useTrans();
  const gravest = gravestFirst(anomalies).at(0);
  return gravest ? (
    <span
      className="jp-Pipelines-chip"
      data-severity={gravest.severity}
      title={trans._n('%1 anomaly', '%1 anomalies', anomalies.length)}
    >
      <SeverityIcon severity={gravest.severity} />
      {anomalies.length}
    </span>
  ) : null;
}

interface RunAnomaliesProps {
  anomalies: (Anomaly & { item: Item })[];
  isActive: boolean;
  onShow(table: string, column: string | null): void;
  revealStep: ((name: string) => void) | null;
}

/** The anomalies of all tables, with the way to each. */
function RunAnomalies(props: RunAnomaliesProps): React.ReactElement {
  const { anomalies, onShow, revealStep } = props;
  const trans = useTrans();
  return (
    <>
      <header className="jp-Pipelines-dataHead">
        <h1>{trans.__('Anomalies')}</h1>
        <p className="jp-Pipelines-note">
          {anomalies.length > 0
            ? trans._n(
                '%1 thing is not as expected.',
                '%1 things are not as expected.',
                anomalies.length
              )
            : props.isActive
              ? trans.__('None so far; the run goes on.')
              : trans.__('All tables are as expected.')}
        </p>
      </header>
      {anomalies.length > 0 ? (
        <div className="jp-Pipelines-table jp-Pipelines-runAnomalies">
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('Where')}</th>
                <th scope="col">{trans.__('Finding')}</th>
                <th scope="col">{trans.__('First seen in')}</th>
              </tr>
            </thead>
            <tbody>
              {gravestFirst(anomalies).map((anomaly, at) => {
                const { item, feature, severity, kind, description } = anomaly;
                const first = anomaly.first?.step ?? item.step;
                return (
                  <tr key={at}>
                    <th scope="row">
                      <button
                        className="jp-Pipelines-link"
                        title={trans.__('Show the data')}
                        onClick={() => onShow(item.table, feature)}
                      >
                        <code>
                          {breakable(feature === null ? item.table : `${item.table}.${feature}`)}
                        </code>
                      </button>
                    </th>
                    <td>
                      <Chip verdict={{ severity, words: kindWords(kind), sentence: description }} />{' '}
                      <Words text={description} />
                    </td>
                    <td>
                      {revealStep ? (
                        <button
                          className="jp-Pipelines-link"
                          title={trans.__('Show the step')}
                          onClick={() => revealStep(first)}
                        >
                          {breakable(first)}
                        </button>
                      ) : (
                        breakable(first)
                      )}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      ) : null}
    </>
  );
}

/** A long name that may go on in the next line after a dot or an underscore, and nowhere else. */
function breakable(name: string): React.ReactNode {
  return name.split(/(?<=[._])/).map((part, at) => (
    <React.Fragment key={at}>
      {at > 0 ? <wbr /> : null}
      {part}
    </React.Fragment>
  ));
}

function Preview(props: {
  client: PipelinesClient;
  path: string;
  digest: string;
}): React.ReactElement {
  const { client, path, digest } = props;
  const trans = useTrans();
  const { value, error } = useFetched(digest, () => client.preview(path, digest));
  return (
    <section className="jp-Pipelines-part" aria-label={trans.__('Content')}>
      <h2 className="jp-Pipelines-partTitle">{trans.__('Content')}</h2>
      {value ? <PreviewView content={value.preview} /> : <p>{error || trans.__('Loading…')}</p>}
    </section>
  );
}
