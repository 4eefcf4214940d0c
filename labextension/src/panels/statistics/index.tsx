/** The statistics of a table, one row a column, the guilty ones first and the others folded. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useNotebook, useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import type { Anomaly, Bins, ColumnRow, Severity } from '../../tokens';
import { Sparkline } from './sparkline';

/** Columns that are shown at once: a table may have thousands. */
const MOST_COLUMNS = 100;

interface StatisticsViewProps {
  digest: string;
  /** As `step.name`. */
  table: string;
  runId: string | null;
}

export function StatisticsView(props: StatisticsViewProps): React.ReactElement | null {
  const { digest, table, runId } = props;
  const trans = useTrans();
  const { model } = useNotebook();
  const [agreed, setAgreed] = React.useState('');
  const { value, error } = useFetched(digest, () => model.client.statistics(model.path, digest));
  if (error) {
    return <p className="jp-Pipelines-wrong">{error}</p>;
  }
  if (value === null) {
    return <p className="jp-Pipelines-small">{trans.__('Measuring…')}</p>;
  }
  if (value.rows === null) {
    return null;
  }
  const guilty = value.overview.filter(row => row.anomalies.length > 0);
  const quiet = value.overview.filter(row => row.anomalies.length === 0);
  return (
    <section aria-label={trans.__('Statistics')}>
      <Anomalies anomalies={value.anomalies.filter(anomaly => anomaly.feature === null)} />
      {guilty.length > 0 ? <Columns rows={guilty} /> : null}
      <details open={guilty.length === 0}>
        <summary>
          {guilty.length > 0
            ? trans._n('%1 column without change', '%1 columns without change', quiet.length)
            : trans._n('%1 column', '%1 columns', quiet.length)}
        </summary>
        <Columns rows={quiet} />
      </details>
      {value.anomalies.length > 0 && runId && !agreed ? (
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Write into the schema file that the table is as it should be')}
          onClick={() =>
            void model.client.agree(model.path, runId, table).then(
              file => setAgreed(trans.__('Pinned in %1', file)),
              (reason: unknown) => setAgreed(String(reason))
            )
          }
        >
          {trans.__('Accept')}
        </button>
      ) : null}
      {agreed ? <p role="status">{agreed}</p> : null}
    </section>
  );
}

/** What is odd, a line for each. */
export function Anomalies(props: { anomalies: readonly Anomaly[] }): React.ReactElement | null {
  const trans = useTrans();
  return props.anomalies.length > 0 ? (
    <ul className="jp-Pipelines-anomalies" aria-label={trans.__('Anomalies')}>
      {props.anomalies.map((anomaly, at) => (
        <li key={at} data-severity={anomaly.severity}>
          <strong>{severityWord(trans, anomaly.severity)}</strong>{' '}
          {anomaly.output ? (
            <code>
              {anomaly.output}
              {anomaly.feature === null ? '' : `.${anomaly.feature}`}
            </code>
          ) : null}{' '}
          {anomaly.description}
        </li>
      ))}
    </ul>
  ) : null;
}

function Columns({ rows }: { rows: readonly ColumnRow[] }): React.ReactElement {
  const trans = useTrans();
  const left = rows.length - MOST_COLUMNS;
  return (
    <div className="jp-Pipelines-table jp-Pipelines-statistics" tabIndex={0} role="region">
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('Column')}</th>
            <th scope="col">{trans.__('Nulls')}</th>
            <th scope="col">{trans.__('Distinct')}</th>
            <th scope="col">{trans.__('Distribution')}</th>
            <th scope="col">{trans.__('Values')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_COLUMNS).map(row => (
            <Column key={row.name} row={row} />
          ))}
        </tbody>
      </table>
      {left > 0 ? (
        <p className="jp-Pipelines-small">{trans._n('and %1 more', 'and %1 more', left)}</p>
      ) : null}
    </div>
  );
}

function Column({ row }: { row: ColumnRow }): React.ReactElement {
  const trans = useTrans();
  const numbers = Object.entries(row.numbers)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ');
  return (
    <>
      <tr>
        <th scope="row" title={row.dtype}>
          {row.is_gone ? <del>{row.name}</del> : row.name} <small>{row.type}</small>
        </th>
        <td>{percent(row.nulls)}</td>
        <td>{row.distinct ?? '–'}</td>
        <td>{row.bins ? <Sparkline bins={row.bins} label={inWords(trans, row.bins)} /> : null}</td>
        <td>{numbers}</td>
      </tr>
      {row.anomalies.length > 0 ? (
        <tr>
          <td colSpan={5} className="jp-Pipelines-verdictCell">
            <Anomalies anomalies={row.anomalies} />
          </td>
        </tr>
      ) : null}
    </>
  );
}

export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

function inWords(trans: TranslationBundle, bins: Bins): string {
  if (bins.kind === 'numbers') {
    return trans.__('Distribution from %1 to %2', bins.start_text ?? '', bins.stop_text ?? '');
  }
  const told = (bins.labels ?? []).slice(0, 6).map((label, at) => {
    return `${label} ${percent(bins.current[at])}`;
  });
  return trans.__('Shares: %1', told.join(', '));
}

function severityWord(trans: TranslationBundle, severity: Severity): string {
  switch (severity) {
    case 'error':
      return trans.__('Error:');
    case 'warning':
      return trans.__('Warning:');
    case 'info':
      return trans.__('Note:');
  }
}
