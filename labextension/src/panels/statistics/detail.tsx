/** One column of a table in detail: what is odd, a large picture, numbers, values, its way through the runs. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import { Words } from '../../components/words';
import type { BothSides, ColumnDetail } from '../../tokens';
import { AnomalyCard } from './card';
import { DistributionChart } from './chart';
import { factWord } from './facts';
import { percent, type JudgedRow } from './rows';
import { useSource } from './source';
import { ColumnTrend } from './trend';

export default function Detail({ row }: { row: JudgedRow }): React.ReactElement {
  const { client, path, runId, table, against } = useSource();
  const { value, error } = useFetched(JSON.stringify([runId, table, against, row.name]), () =>
    client.column(path, runId, table, row.name, against)
  );
  const bins = value?.bins ?? row.bins;
  return (
    <>
      {row.anomalies.map((anomaly, at) => (
        <AnomalyCard key={at} anomaly={anomaly} />
      ))}
      {row.anomalies.length === 0
        ? row.verdicts.map(({ sentence }, at) => (
            <p key={at}>
              <Words text={sentence} />
            </p>
          ))
        : null}
      {error ? <p className="jp-Pipelines-wrong">{error}</p> : null}
      <div className="jp-Pipelines-columnParts">
        {bins ? <DistributionChart bins={bins} spec={value?.chart ?? null} /> : null}
        {value ? <Numbers detail={value} /> : null}
        {row.is_gone ? null : <ColumnTrend column={row.name} />}
      </div>
    </>
  );
}

function Numbers({ detail }: { detail: ColumnDetail }): React.ReactElement {
  const trans = useTrans();
  const { facts, quantiles, values, drift } = detail;
  const isCompared = [...facts, ...quantiles].some(({ reference }) => reference !== null);
  return (
    <>
      <div className="jp-Pipelines-facts2">
        <Sides
          caption={trans.__('Numbers')}
          isCompared={isCompared}
          rows={facts.map(fact => [factWord(trans, fact.name), fact])}
        />
        {drift ? (
          <p className="jp-Pipelines-small">
            {trans.__(
              'Distance %1 (%2), p %3',
              drift.distance.toPrecision(2),
              factWord(trans, drift.measure),
              drift.p_value < 0.001 ? '< 0.001' : drift.p_value.toFixed(3)
            )}
          </p>
        ) : null}
      </div>
      {quantiles.length > 0 ? (
        <Sides
          caption={trans.__('Quantiles')}
          isCompared={isCompared}
          rows={quantiles.map(({ at, ...sides }) => [`${Math.round(100 * at)} %`, sides])}
        />
      ) : null}
      {values.length > 0 ? <Values detail={detail} /> : null}
    </>
  );
}

/** What is told of both sides, side by side; what differs stands out. */
function Sides(props: {
  caption: string;
  isCompared: boolean;
  rows: (readonly [string, BothSides])[];
}): React.ReactElement {
  const trans = useTrans();
  return (
    <table className="jp-Pipelines-sides">
      <caption>{props.caption}</caption>
      {props.isCompared ? (
        <thead>
          <tr>
            <td />
            <th scope="col">{trans.__('this run')}</th>
            <th scope="col">{trans.__('compared with')}</th>
          </tr>
        </thead>
      ) : null}
      <tbody>
        {props.rows.map(([name, { current, reference }]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{current ?? '–'}</td>
            {props.isCompared ? <td>{reference ?? '–'}</td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The commonest values, their shares as bars. */
function Values({ detail }: { detail: ColumnDetail }): React.ReactElement {
  const trans = useTrans();
  const { values } = detail;
  const isCompared = values.some(({ reference }) => reference !== null);
  const most = Math.max(...values.flatMap(one => [one.current, one.reference ?? 0]), 1e-9);
  return (
    <table className="jp-Pipelines-sides jp-Pipelines-values">
      <caption>{trans.__('Commonest values')}</caption>
      {isCompared ? (
        <thead>
          <tr>
            <td />
            <th scope="col">{trans.__('this run')}</th>
            <th scope="col">{trans.__('compared with')}</th>
          </tr>
        </thead>
      ) : null}
      <tbody>
        {values.map(({ value, current, reference, is_unseen: isUnseen }, at) => (
          <tr key={at} data-unseen={isUnseen || undefined}>
            <th scope="row" title={value}>
              <bdi>{value}</bdi>
              {isUnseen ? <small> {trans.__('new')}</small> : null}
            </th>
            <td>
              <span className="jp-Pipelines-shareBar" aria-hidden="true">
                <span style={{ width: `${(100 * current) / most}%` }} />
                {reference !== null ? (
                  <i style={{ insetInlineStart: `${(100 * reference) / most}%` }} />
                ) : null}
              </span>
              {percent(current)}
            </td>
            {isCompared ? <td>{reference === null ? '–' : percent(reference)}</td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
