/** Runs side by side: what differs in parameters, metrics, code, data and time. */
import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { readTheme, VEGA_LITE, type Theme } from '../../charts';
import type { PipelinesClient } from '../../client';
import { useTrans } from '../../components/context';
import { DiffView } from '../../components/diff';
import { useFetched } from '../../components/fetched';
import { RenderedMime } from '../../components/rendered';
import { State } from '../../components/state';
import {
  isActive,
  type Anomaly,
  type ComparedRun,
  type JSONValue,
  type Output,
  type Preview
} from '../../tokens';
import { formatDuration, formatNumber, formatSize, formatValue } from '../../units';
import { metricOverTime, parallelCoordinates } from './charts';
import { describeTables } from './data';
import { columnsOf, sortRuns, stepNames, type Column, type Order } from './table';

const TableView = React.lazy(() => import('../statistics/table'));

const MOST_CHARTS = 6;
/** Runs that are under way are looked at this often. */
const POLL_MS = 3000;

interface CompareProps {
  client: PipelinesClient;
  path: string;
  runIds: readonly string[];
  /** Changes with the colours of the page. */
  theme: string;
}

export default function CompareView(props: CompareProps): React.ReactElement {
  const { client, path, runIds } = props;
  const trans = useTrans();
  const [round, setRound] = React.useState(0);
  const [runs, setRuns] = React.useState<ComparedRun[] | null>(null);
  const { value, error } = useFetched(`${round} ${runIds.join(' ')}`, () =>
    client.compare(path, runIds)
  );
  React.useEffect(() => {
    if (value) {
      setRuns(value);
    }
    const isUnderWay = value?.some(run => isActive(run.status)) ?? false;
    const timer = isUnderWay ? setTimeout(() => setRound(round + 1), POLL_MS) : undefined;
    return () => clearTimeout(timer);
  }, [value]);
  if (error) {
    return <p className="jp-Pipelines-wrong">{error}</p>;
  }
  if (!runs) {
    return <p className="jp-Pipelines-loading">{trans.__('Reading the runs…')}</p>;
  }
  return <Comparison {...props} runs={runs} />;
}

function Comparison(props: CompareProps & { runs: ComparedRun[] }): React.ReactElement {
  const { client, path, runs, theme: themeName } = props;
  const trans = useTrans();
  const [order, setOrder] = React.useState<Order | null>(null);
  const [areAllShown, showAll] = React.useState(false);
  const inTime = [...runs].sort((one, other) => (one.created_at < other.created_at ? -1 : 1));
  // Those that are compared at first have ended, as far as there are two.
  const ended = inTime.filter(run => !isActive(run.status));
  const usual = ended.length > 1 ? ended : inTime;
  const [chosen, setPair] = React.useState<[string, string] | null>(null);
  const pair = chosen ?? [usual[0].run_id, usual[usual.length - 1].run_id];
  const columns = React.useMemo(() => columnsOf(runs), [runs]);
  const differing = columns.filter(column => column.differs).length;
  const shown = areAllShown || differing === 0 ? columns : columns.slice(0, differing);
  const sorted = sortRuns(runs, columns, order);
  const element = React.useRef<HTMLDivElement>(null);
  const [theme, setTheme] = React.useState<Theme | null>(null);
  React.useEffect(() => setTheme(readTheme(element.current!)), [themeName]);
  const names = stepNames(runs);
  const numbers = new Map(inTime.map((run, at) => [run.run_id, at + 1]));

  return (
    <div
      ref={element}
      className="jp-Pipelines-comparison"
      role="region"
      aria-label={trans.__('Comparison of runs')}
    >
      <header>
        <h1>{trans.__('%1 runs of %2', runs.length, path)}</h1>
        <p className="jp-Pipelines-note">
          {differing > 0
            ? trans._n(
                '%1 parameter or metric differs.',
                '%1 parameters and metrics differ.',
                differing
              )
            : trans.__('No parameter and no metric differs.')}
        </p>
        {columns.length > differing && differing > 0 ? (
          <label className="jp-Pipelines-switch">
            <input
              type="checkbox"
              checked={areAllShown}
              onChange={event => showAll(event.target.checked)}
            />
            {trans.__('Show what is the same too')}
          </label>
        ) : null}
      </header>
      <section aria-label={trans.__('Parameters and metrics')}>
        <RunTable
          runs={sorted}
          numbers={numbers}
          columns={shown}
          order={order}
          onOrder={setOrder}
        />
      </section>
      {theme ? <Charts runs={runs} columns={columns} theme={theme} /> : null}
      <section aria-label={trans.__('Durations')}>
        <h2>{trans.__('Durations')}</h2>
        <Durations runs={sorted} numbers={numbers} steps={names} />
      </section>
      <section aria-label={trans.__('Code and data')}>
        <h2>{trans.__('Code and data')}</h2>
        <PairChoice runs={inTime} numbers={numbers} pair={pair} onPair={setPair} />
        <PairView
          client={client}
          path={path}
          steps={names}
          first={runs.find(run => run.run_id === pair[0])!}
          second={runs.find(run => run.run_id === pair[1])!}
        />
      </section>
    </div>
  );
}

/** Runs by their place in time, from 1: the oldest. A short name for each, in tables and charts alike. */
type RunNumbers = ReadonlyMap<string, number>;

interface RunTableProps {
  runs: readonly ComparedRun[];
  numbers: RunNumbers;
  columns: readonly Column[];
  order: Order | null;
  onOrder(order: Order | null): void;
}

function RunTable({ runs, numbers, columns, order, onOrder }: RunTableProps): React.ReactElement {
  const trans = useTrans();
  const turn = (key: string): void =>
    onOrder(
      order?.key !== key
        ? { key, descending: false }
        : order.descending
          ? null
          : { key, descending: true }
    );
  return (
    <div className="jp-Pipelines-table" tabIndex={0} role="region" aria-label={trans.__('Runs')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('Run')}</th>
            <th scope="col" className="jp-Pipelines-words">
              {trans.__('State')}
            </th>
            <th scope="col">{trans.__('Duration')}</th>
            {columns.map(column => (
              <th
                key={column.key}
                scope="col"
                data-kind={column.kind}
                data-differs={column.differs || undefined}
                aria-sort={
                  order?.key === column.key
                    ? order.descending
                      ? 'descending'
                      : 'ascending'
                    : undefined
                }
              >
                <button
                  onClick={() => turn(column.key)}
                  title={trans.__('Sort by %1', column.name)}
                >
                  {column.label}
                  {order?.key === column.key ? (
                    order.descending ? (
                      <caretDownIcon.react tag="span" />
                    ) : (
                      <caretUpIcon.react tag="span" />
                    )
                  ) : null}
                </button>
                <small>
                  {column.kind === 'metric' ? trans.__('metric') : trans.__('parameter')}
                </small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map(run => (
            <tr key={run.run_id} data-run={run.run_id}>
              <th scope="row" title={run.run_id}>
                <RunName run={run} number={numbers.get(run.run_id)!} />
              </th>
              <td className="jp-Pipelines-words">
                <State state={run.status} />
              </td>
              <td className="jp-Pipelines-number">
                {run.duration_seconds === null ? '' : formatDuration(run.duration_seconds)}
              </td>
              {columns.map(column => (
                <td
                  key={column.key}
                  className={column.isNumeric ? 'jp-Pipelines-number' : undefined}
                  data-differs={column.differs || undefined}
                  title={column.isNumeric ? String(column.values.get(run.run_id) ?? '') : undefined}
                >
                  {written(column.values.get(run.run_id))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RunName(props: { run: ComparedRun; number: number }): React.ReactElement {
  const { run, number } = props;
  return (
    <>
      <span className="jp-Pipelines-runNumber">{number}</span>
      {new Date(run.created_at).toLocaleString()}
      {run.tags.map(tag => (
        <span className="jp-Pipelines-tag" key={tag}>
          {tag}
        </span>
      ))}
      {run.comment ? <small>{run.comment}</small> : null}
    </>
  );
}

function Charts(props: {
  runs: readonly ComparedRun[];
  columns: readonly Column[];
  theme: Theme;
}): React.ReactElement | null {
  const { runs, columns, theme } = props;
  const trans = useTrans();
  const parallel = runs.length > 2 ? parallelCoordinates(runs, columns, theme) : null;
  const metrics = columns
    .filter(column => column.kind === 'metric' && column.differs && column.isNumeric)
    .slice(0, MOST_CHARTS);
  if (!parallel && metrics.length === 0) {
    return null;
  }
  return (
    <section aria-label={trans.__('Charts')}>
      <h2>{trans.__('Charts')}</h2>
      <div className="jp-Pipelines-charts">
        {parallel ? <RenderedMime type={VEGA_LITE} data={parallel} /> : null}
        {metrics.map(column => (
          <RenderedMime
            key={column.key}
            type={VEGA_LITE}
            data={metricOverTime(runs, column, theme, trans.__('run'))}
          />
        ))}
      </div>
    </section>
  );
}

/** How long every step took in every run; a bar tells it at a glance. */
function Durations(props: {
  runs: readonly ComparedRun[];
  numbers: RunNumbers;
  steps: readonly string[];
}): React.ReactElement {
  const { runs, numbers, steps } = props;
  const trans = useTrans();
  const longest = Math.max(
    0.001,
    ...runs.flatMap(run =>
      run.steps.map(step => (step.status === 'reused' ? 0 : (step.duration_seconds ?? 0)))
    )
  );
  return (
    <div
      className="jp-Pipelines-table"
      tabIndex={0}
      role="region"
      aria-label={trans.__('Durations of steps')}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('Step')}</th>
            {runs.map(run => (
              <th key={run.run_id} scope="col" title={new Date(run.created_at).toLocaleString()}>
                {trans.__('Run %1', numbers.get(run.run_id))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {steps.map(name => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {runs.map(run => {
                const step = run.steps.find(found => found.name === name);
                const seconds = step?.status === 'reused' ? null : step?.duration_seconds;
                return (
                  <td key={run.run_id} className="jp-Pipelines-duration">
                    {step ? (
                      seconds === null || seconds === undefined ? (
                        <State state={step.status} />
                      ) : (
                        <>
                          <span
                            className="jp-Pipelines-durationBar"
                            style={{ width: `${(70 * seconds) / longest}px` }}
                          />
                          {formatDuration(seconds)}
                        </>
                      )
                    ) : (
                      '–'
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PairChoice(props: {
  runs: readonly ComparedRun[];
  numbers: RunNumbers;
  pair: [string, string];
  onPair(pair: [string, string]): void;
}): React.ReactElement {
  const { runs, numbers, pair, onPair } = props;
  const trans = useTrans();
  const choice = (at: 0 | 1, label: string): React.ReactElement => (
    <label>
      {label}{' '}
      <select
        value={pair[at]}
        onChange={event =>
          onPair(at === 0 ? [event.target.value, pair[1]] : [pair[0], event.target.value])
        }
      >
        {runs.map(run => (
          <option key={run.run_id} value={run.run_id}>
            {[
              trans.__('Run %1', numbers.get(run.run_id)),
              new Date(run.created_at).toLocaleString(),
              ...run.tags
            ].join(' · ')}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <p className="jp-Pipelines-pair">
      {choice(0, trans.__('From'))} {choice(1, trans.__('to'))}
    </p>
  );
}

interface PairProps {
  client: PipelinesClient;
  path: string;
  steps: readonly string[];
  first: ComparedRun;
  second: ComparedRun;
}

/** Step by step, what changed in the code and in what it left. */
function PairView(props: PairProps): React.ReactElement {
  const { client, path, steps, first, second } = props;
  const trans = useTrans();
  const { value: diff } = useFetched(
    first === second ? '' : `${first.run_id} ${second.run_id}`,
    () => client.diff(path, first.run_id, second.run_id)
  );
  const changed = steps.flatMap(name => {
    const [before, after] = [first, second].map(run => run.steps.find(step => step.name === name));
    const { code, statistics } = diff?.steps.find(step => step.name === name) ?? {};
    const names = new Set(
      [before, after].flatMap(step => step?.outputs.map(output => output.name) ?? [])
    );
    const outputs = [...names].flatMap(output => {
      const [old, now] = [before, after].map(step =>
        step?.outputs.find(found => found.name === output)
      );
      return old?.digest === now?.digest ? [] : [{ output, old, now }];
    });
    const isMissing = !before || !after;
    return code || isMissing || outputs.length > 0
      ? [
          {
            name,
            code,
            statistics,
            outputs: before?.code && after?.code ? outputs : [],
            before,
            after
          }
        ]
      : [];
  });
  if (changed.length === 0) {
    return <p className="jp-Pipelines-note">{trans.__('Code and data are the same.')}</p>;
  }
  return (
    <>
      {changed.map(({ name, code, statistics, outputs, before, after }) => (
        <details key={name} className="jp-Pipelines-stepDiff" open={changed.length <= 5}>
          <summary>
            {name}{' '}
            <span className="jp-Pipelines-note">
              {!before
                ? trans.__('new')
                : !after
                  ? trans.__('gone')
                  : [
                      code ? trans.__('code changed') : '',
                      outputs.length > 0
                        ? trans._n('%1 output changed', '%1 outputs changed', outputs.length)
                        : ''
                    ]
                      .filter(Boolean)
                      .join(', ')}
            </span>
          </summary>
          {code ? (
            <DiffView
              before={(code.before ?? []).join('\n\n')}
              after={(code.after ?? []).join('\n\n')}
            />
          ) : null}
          {outputs.map(({ output, old, now }) => (
            <OutputDiff
              key={output}
              step={name}
              name={output}
              old={old}
              now={now}
              differences={statistics?.[output]?.anomalies ?? []}
              {...{ client, path, first, second }}
            />
          ))}
        </details>
      ))}
    </>
  );
}

interface OutputDiffProps {
  client: PipelinesClient;
  path: string;
  first: ComparedRun;
  second: ComparedRun;
  step: string;
  name: string;
  old: Output | undefined;
  now: Output | undefined;
  /** Of two tables, what their statistics differ in. */
  differences: readonly Anomaly[];
}

/** More than these are told by the statistics below. */
const MOST_DIFFERENCES = 5;

/** What differs between two values of one name, as far as it can be told without loading them. */
function OutputDiff(props: OutputDiffProps): React.ReactElement {
  const { client, path, first, second, step, name, old, now, differences } = props;
  const trans = useTrans();
  const { value } = useFetched(`${old?.digest} ${now?.digest}`, async () =>
    Promise.all(
      [old, now].map(output =>
        output ? client.preview(path, output.digest) : Promise.resolve<Preview | null>(null)
      )
    )
  );
  const [isOpen, setOpen] = React.useState(false);
  const areTables = value?.[0]?.preview?.kind === 'table' && value[1]?.preview?.kind === 'table';
  const changes =
    value?.[0] && value[1] ? describeTables(trans, value[0].preview, value[1].preview) : [];
  return (
    <div className="jp-Pipelines-outputDiff">
      <code>{name}</code>
      <span>{old ? describe(old) : trans.__('not there')}</span>
      <span aria-hidden="true">→</span>
      <span>{now ? describe(now) : trans.__('not there')}</span>
      {changes.length + differences.length > 0 ? (
        <ul>
          {changes.map(change => (
            <li key={change}>{change}</li>
          ))}
          {differences.slice(0, MOST_DIFFERENCES).map(({ feature, description }) => (
            <li key={`${feature} ${description}`}>
              {feature ? <code>{feature}</code> : null} {description}
            </li>
          ))}
        </ul>
      ) : null}
      {areTables ? (
        <details onToggle={event => setOpen(event.currentTarget.open)}>
          <summary>{trans.__('Columns of both: nulls, categories, distributions')}</summary>
          {isOpen ? (
            <React.Suspense fallback={<p>{trans.__('Loading…')}</p>}>
              <TableView
                client={client}
                path={path}
                runId={second.run_id}
                table={`${step}.${name}`}
                initialAgainst={first.run_id}
                revealCell={null}
                openFile={null}
              />
            </React.Suspense>
          ) : null}
        </details>
      ) : null}
    </div>
  );
}

function describe({ type, summary, size_bytes: bytes }: Output): string {
  const short = type.split('.').at(-1) ?? type;
  return [short, formatValue(summary), formatSize(bytes)].filter(Boolean).join(' · ');
}

function written(value: JSONValue | undefined): string {
  return value === undefined
    ? '–'
    : typeof value === 'number'
      ? formatNumber(value)
      : typeof value === 'string'
        ? value
        : JSON.stringify(value);
}
