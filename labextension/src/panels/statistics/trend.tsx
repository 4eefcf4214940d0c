/** How a table went through the runs. */
import { Time } from '@jupyterlab/coreutils';
import * as React from 'react';

import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import type { TableTrend as Runs } from '../../tokens';
import { formatNumber } from '../../units';
import { percent } from './rows';
import { useSource } from './source';
import { Trend } from './sparkline';

/** With fewer runs there is nothing to see. */
const FEWEST = 2;

interface Line {
  name: string;
  values: (number | null)[];
  told: (value: number) => string;
}

/** Rows and anomalies of the table, run by run. */
export function TableTrend(): React.ReactElement | null {
  const trans = useTrans();
  return (
    <TrendLines
      column={null}
      lines={runs => [
        { name: trans.__('rows'), values: runs.map(run => run.rows), told: formatNumber },
        { name: trans.__('anomalies'), values: runs.map(run => run.anomalies), told: formatNumber }
      ]}
    />
  );
}

/** Nulls, different values and mean of a column, run by run. */
export function ColumnTrend({ column }: { column: string }): React.ReactElement | null {
  const trans = useTrans();
  return (
    <TrendLines
      column={column}
      lines={runs => [
        { name: trans.__('nulls'), values: runs.map(run => run.nulls ?? null), told: percent },
        { name: trans.__('mean'), values: runs.map(run => run.mean ?? null), told: formatNumber },
        {
          name: trans.__('distinct'),
          values: runs.map(run => run.distinct ?? null),
          told: formatNumber
        }
      ]}
    />
  );
}

function TrendLines(props: {
  column: string | null;
  lines: (runs: Runs['runs']) => Line[];
}): React.ReactElement | null {
  const trans = useTrans();
  const { client, path, table } = useSource();
  const { value } = useFetched(JSON.stringify([path, table, props.column]), () =>
    client.trend(path, table, props.column)
  );
  const runs = value?.runs ?? [];
  if (runs.length < FEWEST) {
    return null;
  }
  const lines = props.lines(runs).filter(line => line.values.some(one => one !== null));
  const day = (at: number): string => Time.format(new Date(runs.at(at)!.created_at));
  return (
    <div className="jp-Pipelines-part">
      <p className="jp-Pipelines-partTitle">{trans.__('Over the last %1 runs', runs.length)}</p>
      <dl className="jp-Pipelines-trends">
        {lines.map(({ name, values, told }) => {
          const ends = [values.find(one => one !== null), values.findLast(one => one !== null)].map(
            one => told(one ?? 0)
          );
          const label = trans.__('%1: from %2 to %3', name, ends[0], ends[1]);
          return (
            <div key={name} title={`${day(0)} – ${day(-1)}`}>
              <dt>{name}</dt>
              <dd>
                <Trend values={values} label={label} />
                <span>{ends[0] === ends[1] ? ends[1] : `${ends[0]} → ${ends[1]}`}</span>
              </dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}
