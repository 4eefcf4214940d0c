/** How good predictions are for each value of a column, the worst first. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import type { Slice, SliceQuery, Slices } from '../../tokens';
import { formatNumber } from '../../units';
import { useSource } from './source';

/** From here on a slice differs by more than chance. */
const SIGNIFICANT = 0.05;

const METRICS = ['accuracy', 'mean_absolute_error', 'mean_squared_error', 'mean_error'];

/** Asked for when it is opened: predictions are read for it. */
export function SlicesPart({ columns }: { columns: readonly string[] }): React.ReactElement {
  const trans = useTrans();
  const [isOpen, setOpen] = React.useState(false);
  return (
    <details className="jp-Pipelines-part" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Slices: how good predictions are for each value')}</summary>
      {isOpen ? <Chosen columns={columns} /> : null}
    </details>
  );
}

/** What is a prediction, and what is true, is found by usual names until a person says it. */
function Chosen({ columns }: { columns: readonly string[] }): React.ReactElement {
  const trans = useTrans();
  const [query, setQuery] = React.useState<SliceQuery>({ truth: '', prediction: '', metric: '' });
  const choice = (
    name: keyof SliceQuery,
    label: string,
    values: readonly string[]
  ): React.ReactElement => (
    <label className="jp-Pipelines-against">
      <span>{label}</span>
      <select
        value={query[name]}
        onChange={event => setQuery({ ...query, [name]: event.target.value })}
      >
        <option value="">{trans.__('as it is called')}</option>
        {values.map(value => (
          <option key={value} value={value}>
            {name === 'metric' ? value.replace(/_/g, ' ') : value}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <>
      <div className="jp-Pipelines-statisticsHead jp-Pipelines-sliceHead">
        {choice('truth', trans.__('Truth'), columns)}
        {choice('prediction', trans.__('Prediction'), columns)}
        {choice('metric', trans.__('Metric'), METRICS)}
      </div>
      <Loaded query={query} />
    </>
  );
}

function Loaded({ query }: { query: SliceQuery }): React.ReactElement {
  const trans = useTrans();
  const { client, path, runId, table } = useSource();
  const { value, error } = useFetched(JSON.stringify([runId, table, query]), () =>
    client.slices(path, runId, table, query)
  );
  if (!value) {
    return <p className="jp-Pipelines-small">{error || trans.__('Loading…')}</p>;
  }
  return <Table found={value} />;
}

function Table({ found }: { found: Slices }): React.ReactElement {
  const trans = useTrans();
  const { overall, slices } = found;
  const ends = [overall, ...slices].flatMap(({ low, high }) => [low, high]);
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  const place = (value: number): string => `${(100 * (value - from)) / (to - from || 1)}%`;
  return (
    <>
      <p className="jp-Pipelines-small">
        {trans.__(
          '%1 of `%2` against `%3`, with 95 % intervals; the line is that of all rows.',
          found.metric.replace(/_/g, ' '),
          found.prediction,
          found.truth
        )}
      </p>
      <div
        className="jp-Pipelines-table"
        tabIndex={0}
        role="region"
        aria-label={trans.__('Slices')}
      >
        <table>
          <thead>
            <tr>
              <th scope="col">{trans.__('Slice')}</th>
              <th scope="col">{trans.__('Rows')}</th>
              <th scope="col">{found.metric.replace(/_/g, ' ')}</th>
              <th scope="col">{trans.__('Interval')}</th>
            </tr>
          </thead>
          <tbody>
            {[overall, ...slices].map((slice, at) => (
              <tr key={at} data-significant={slice.p_value < SIGNIFICANT || undefined}>
                <th scope="row">{at === 0 ? trans.__('all rows') : nameOf(slice)}</th>
                <td>{slice.rows.toLocaleString()}</td>
                <td>{formatNumber(slice.metric)}</td>
                <td>
                  <span
                    className="jp-Pipelines-interval"
                    role="img"
                    aria-label={`${formatNumber(slice.low)} – ${formatNumber(slice.high)}`}
                  >
                    <i style={{ insetInlineStart: place(overall.metric) }} />
                    <span
                      style={{
                        insetInlineStart: place(slice.low),
                        insetInlineEnd: `calc(100% - ${place(slice.high)})`
                      }}
                    />
                    <b style={{ insetInlineStart: place(slice.metric) }} />
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function nameOf({ column, value }: Slice): string {
  return `${column} = ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}
