/** A table of a run beside another: how large, what is odd, a line for each column. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import { searchIcon } from '@jupyterlab/ui-components';
import type { Glance, TableSize } from '../../tokens';
import { AgainstChoice } from './against';
import { Anomalies } from './anomalies';
import { Changes } from './changes';
import { Columns } from './columns';
import { arrange, judge, type Order } from './rows';
import { SlicesPart } from './slices';
import { SourceContext, useSource, type TableSource } from './source';
import { TableTrend } from './trend';

/** With more columns than these there is something to search. */
const MANY_COLUMNS = 12;

interface TableProps extends Omit<TableSource, 'against' | 'changed'> {
  /** What to compare with at first. */
  initialAgainst?: string;
  /** A column that is open at first. */
  initialColumn?: string | null;
  /** Other tables of the run, as `step.name`; those of other steps can be compared with. */
  tables?: readonly string[];
  /** How much was found in it so far: asked for again when that changes. */
  findings?: number;
  /** Whether there is room for all of it. */
  isWhole?: boolean;
}

export default function TableView(props: TableProps): React.ReactElement {
  const { client, path, runId, table } = props;
  const trans = useTrans();
  const [against, setAgainst] = React.useState(props.initialAgainst ?? '');
  const [round, setRound] = React.useState(0);
  const [glance, setGlance] = React.useState<Glance | null>(null);
  const { value, error } = useFetched(
    JSON.stringify([runId, table, against, round, props.findings]),
    () => client.glance(path, runId, table, against)
  );
  // What was there stays until what was asked for is there.
  React.useEffect(() => setGlance(old => value ?? old), [value]);
  const source = React.useMemo<TableSource>(
    () => ({
      client,
      path,
      runId,
      table,
      against,
      revealCell: props.revealCell,
      openFile: props.openFile,
      changed: () => setRound(old => old + 1)
    }),
    [client, path, runId, table, against]
  );
  if (error) {
    return (
      <p className="jp-Pipelines-wrong" role="alert">
        {error}
      </p>
    );
  }
  if (!glance) {
    return <p className="jp-Pipelines-loading">{trans.__('Measuring…')}</p>;
  }
  if (!glance.size) {
    return (
      <p className="jp-Pipelines-small">
        {trans.__('No statistics: it was not stored as a table or an array.')}
      </p>
    );
  }
  return (
    <SourceContext.Provider value={source}>
      <div
        className="jp-Pipelines-statistics"
        role="group"
        aria-label={trans.__('Statistics of %1', table)}
        aria-busy={value === null}
      >
        <div className="jp-Pipelines-statisticsHead">
          <Size size={glance.size} before={glance.against?.size ?? null} />
          <AgainstChoice
            glance={glance}
            value={against}
            tables={props.tables ?? []}
            onChange={setAgainst}
          />
          {props.isWhole ? <PinSchema key={`${runId} ${table}`} /> : null}
        </div>
        {glance.changes ? <Changes changes={glance.changes} /> : null}
        <Anomalies anomalies={glance.anomalies.filter(({ feature }) => feature === null)} />
        <ColumnList
          key={glance.table}
          glance={glance}
          initialColumn={props.initialColumn ?? null}
          isWhole={props.isWhole ?? false}
        />
        {props.isWhole ? (
          <>
            <TableTrend />
            <SlicesPart columns={glance.overview.map(({ name }) => name)} />
          </>
        ) : null}
      </div>
    </SourceContext.Provider>
  );
}

interface ColumnListProps {
  glance: Glance;
  initialColumn: string | null;
  isWhole: boolean;
}

function ColumnList({ glance, initialColumn, isWhole }: ColumnListProps): React.ReactElement {
  const trans = useTrans();
  const [words, setWords] = React.useState('');
  const [order, setOrder] = React.useState<Order>('verdict');
  const [opened, setOpened] = React.useState(initialColumn);
  const [isUnfolded, setUnfolded] = React.useState<boolean | null>(null);
  React.useEffect(() => setOpened(initialColumn), [initialColumn]);
  const rows = React.useMemo(() => judge(trans, glance.overview, glance.changes), [glance]);
  // Typing goes first.
  const wanted = React.useDeferredValue(words);
  const { guilty, quiet } = React.useMemo(
    () => arrange(rows, wanted, order),
    [rows, wanted, order]
  );
  const isQuietShown =
    isUnfolded ??
    (guilty.length === 0 || words !== '' || quiet.some(({ name }) => name === opened));
  const many = rows.length > MANY_COLUMNS;
  return (
    <>
      {many ? (
        <div className="jp-Pipelines-filter">
          <label className="jp-Pipelines-search">
            <searchIcon.react tag="span" />
            <input
              type="search"
              aria-label={trans.__('Find columns')}
              placeholder={trans._n('%1 column', '%1 columns', rows.length)}
              spellCheck={false}
              value={words}
              onChange={event => setWords(event.target.value)}
            />
          </label>
          <select
            aria-label={trans.__('Order of the columns')}
            value={order}
            onChange={event => setOrder(event.target.value as Order)}
          >
            <option value="verdict">{trans.__('Guilty first')}</option>
            <option value="table">{trans.__('As in the table')}</option>
            <option value="name">{trans.__('By name')}</option>
            <option value="nulls">{trans.__('Most nulls first')}</option>
            {glance.against ? <option value="drift">{trans.__('Most drift first')}</option> : null}
          </select>
        </div>
      ) : null}
      {isWhole && rows.length > 0 ? <Heads /> : null}
      {guilty.length > 0 ? (
        <Columns
          rows={guilty}
          label={trans.__('Columns with a finding')}
          opened={opened}
          onOpen={setOpened}
        />
      ) : null}
      {guilty.length > 0 && quiet.length > 0 ? (
        <button
          className="jp-Pipelines-fold"
          aria-expanded={isQuietShown}
          onClick={() => setUnfolded(!isQuietShown)}
        >
          {trans._n('%1 column as before', '%1 columns as before', quiet.length)}
        </button>
      ) : null}
      {quiet.length > 0 && isQuietShown ? (
        <Columns rows={quiet} label={trans.__('Columns')} opened={opened} onOpen={setOpened} />
      ) : null}
      {rows.length > 0 && guilty.length + quiet.length === 0 ? (
        <p className="jp-Pipelines-note" role="status">
          {trans.__('No column fits what you look for.')}
        </p>
      ) : null}
    </>
  );
}

/** What stands where in a line; each cell says it too. */
function Heads(): React.ReactElement {
  const trans = useTrans();
  return (
    <div className="jp-Pipelines-columnHeads" aria-hidden="true">
      <span>{trans.__('Column')}</span>
      <span>{trans.__('Verdict')}</span>
      <span>{trans.__('Nulls')}</span>
      <span>{trans.__('Distinct')}</span>
      <span>{trans.__('Distribution')}</span>
      <span>{trans.__('Values')}</span>
    </div>
  );
}

/** Writes what the table is like into the schema file: later ones are held against it. */
function PinSchema(): React.ReactElement {
  const trans = useTrans();
  const { client, path, runId, table, openFile, changed } = useSource();
  const [file, setFile] = React.useState('');
  const [error, setError] = React.useState('');
  const pin = (): void =>
    void client.agree(path, runId, table).then(
      written => {
        setFile(written);
        changed();
      },
      (reason: unknown) => setError(reason instanceof Error ? reason.message : String(reason))
    );
  if (file) {
    return (
      <span role="status">
        {trans.__('Written into %1.', file)}{' '}
        {openFile ? (
          <button className="jp-Pipelines-link" onClick={() => openFile(file)}>
            {trans.__('Open')}
          </button>
        ) : null}
      </span>
    );
  }
  return (
    <span>
      <button
        className="jp-Pipelines-smallButton"
        title={trans.__(
          'Write what this table is like into the schema file, which is checked on every run'
        )}
        onClick={pin}
      >
        {trans.__('Pin schema')}
      </button>
      {error ? <span className="jp-Pipelines-wrong"> {error}</span> : null}
    </span>
  );
}

function Size(props: { size: TableSize; before: TableSize | null }): React.ReactElement {
  const { size, before } = props;
  const trans = useTrans();
  const difference = before ? size.rows - before.rows : 0;
  const isApproximate = size.measured_rows < size.rows;
  return (
    <p className="jp-Pipelines-size">
      <strong>{size.rows.toLocaleString()}</strong> {trans._n('row', 'rows', size.rows)}
      {difference !== 0 ? (
        <span className="jp-Pipelines-note">
          {` (${difference > 0 ? '+' : '−'}${Math.abs(difference).toLocaleString()})`}
        </span>
      ) : null}
      {' · '}
      <strong>{size.columns.toLocaleString()}</strong> {trans._n('column', 'columns', size.columns)}
      {size.duplicates && size.columns > 1 ? (
        <>
          {' · '}
          <strong>{size.duplicates.toLocaleString()}</strong>{' '}
          {trans._n('duplicate row', 'duplicate rows', size.duplicates)}
        </>
      ) : null}
      {isApproximate ? (
        <span
          className="jp-Pipelines-learned"
          title={trans.__('Measured on %1 evenly spread rows', size.measured_rows.toLocaleString())}
        >
          {trans.__('approximate')}
        </span>
      ) : null}
    </p>
  );
}
