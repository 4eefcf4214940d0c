/** The runs of the notebook: found by words, state or metric, pinned, tagged and chosen for comparison. */
import { Time } from '@jupyterlab/coreutils';
import { ellipsesIcon, searchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useActions, useNotebook, useTrans, type MenuItem } from '../../components/context';
import { PinIcon } from '../../components/icons';
import { MovableSection } from '../../components/movable';
import { State } from '../../components/state';
import { stateWord } from '../../state';
import { CommandIDs, isActive, PINNED, type RunStatus, type RunSummary } from '../../tokens';
import { formatDuration, formatNumber } from '../../units';
import { groupRuns, shortMetrics, type RunGroup } from './grouping';

const STATUSES: RunStatus[] = ['running', 'succeeded', 'failed', 'cancelled', 'interrupted'];
/** How many metrics a run's line tells. */
const FEW_METRICS = 3;

export function RunsPanel(): React.ReactElement | null {
  const trans = useTrans();
  const actions = useActions();
  const { model } = useNotebook();
  const { runs, history } = model;
  const [chosen, setChosen] = React.useState<ReadonlySet<string>>(new Set());
  const choose = (runIds: readonly string[], isChosen: boolean): void => {
    const changed = new Set(chosen);
    runIds.forEach(runId => (isChosen ? changed.add(runId) : changed.delete(runId)));
    setChosen(changed);
  };
  const note = history.total > 0 ? String(history.total) : undefined;
  return (
    <MovableSection
      id="runs"
      title={trans.__('Runs')}
      note={note}
      className="jp-Pipelines-runsSection"
    >
      {history.isFiltered || history.total > 3 ? <Filter /> : null}
      {chosen.size > 0 ? (
        <div className="jp-Pipelines-bar" role="status">
          <span>{trans._n('%1 run chosen', '%1 runs chosen', chosen.size)}</span>
          <button
            className="jp-Pipelines-smallButton jp-mod-primary"
            disabled={chosen.size < 2 || chosen.size > 50}
            title={trans.__('Compare 2 to 50 runs side by side')}
            onClick={() =>
              void actions.commands.execute(CommandIDs.compareRuns, {
                path: model.path,
                runIds: runs.map(run => run.run_id).filter(runId => chosen.has(runId))
              })
            }
          >
            {trans.__('Compare')}
          </button>
          <button className="jp-Pipelines-smallButton" onClick={() => setChosen(new Set())}>
            {trans.__('Choose none')}
          </button>
        </div>
      ) : null}
      {runs.length > 0 ? (
        <ul className="jp-Pipelines-runs">
          {groupRuns(runs).map(group =>
            group.sweep ? (
              <SweepItem key={group.sweep} group={group} chosen={chosen} choose={choose} />
            ) : (
              <RunItem key={group.runs[0].run_id} run={group.runs[0]} {...{ chosen, choose }} />
            )
          )}
        </ul>
      ) : (
        <p className="jp-Pipelines-note jp-Pipelines-sectionNote">
          {history.isFiltered
            ? trans.__('No run fits what you look for.')
            : trans.__('This notebook has not been run yet.')}
        </p>
      )}
      {history.hasMore ? (
        <button className="jp-Pipelines-link jp-Pipelines-more" onClick={() => void history.more()}>
          {trans.__('Show more (%1 of %2 shown)', runs.length, history.total)}
        </button>
      ) : null}
    </MovableSection>
  );
}

/** What is looked for. */
function Filter(): React.ReactElement {
  const trans = useTrans();
  const { history, runs } = useNotebook().model;
  const { query } = history;
  const metrics = new Set(runs.flatMap(run => Object.keys(run.metrics ?? {})));
  if (query.metric) {
    metrics.add(query.metric);
  }
  const short = shortMetrics([...metrics]);
  return (
    <div className="jp-Pipelines-filter" role="search" aria-label={trans.__('Runs')}>
      <label className="jp-Pipelines-search">
        <searchIcon.react tag="span" />
        <input
          type="search"
          aria-label={trans.__('Find runs')}
          placeholder={trans.__('Tag, comment, alpha=0.1…')}
          spellCheck={false}
          value={query.words ?? ''}
          onChange={event => history.look({ ...query, words: event.target.value })}
        />
      </label>
      <select
        aria-label={trans.__('State of the runs')}
        value={query.status ?? (query.tag ? PINNED : '')}
        onChange={event => {
          const { value } = event.target;
          const isPinned = value === PINNED;
          history.look({
            ...query,
            status: isPinned ? '' : (value as RunStatus | ''),
            tag: isPinned ? PINNED : undefined
          });
        }}
      >
        <option value="">{trans.__('all')}</option>
        <option value={PINNED}>{trans.__('pinned')}</option>
        {STATUSES.map(status => (
          <option key={status} value={status}>
            {stateWord(trans, status)}
          </option>
        ))}
      </select>
      {metrics.size > 0 ? (
        <select
          aria-label={trans.__('Order of the runs')}
          value={query.metric ? `${query.order} ${query.metric}` : ''}
          onChange={event => {
            const [order, ...metric] = event.target.value.split(' ');
            history.look({
              ...query,
              order: order === 'asc' ? 'asc' : 'desc',
              metric: metric.join(' ') || undefined
            });
          }}
        >
          <option value="">{trans.__('newest first')}</option>
          {[...metrics].map(metric => (
            <React.Fragment key={metric}>
              <option value={`asc ${metric}`}>
                {trans.__('lowest %1', short.get(metric) ?? metric)}
              </option>
              <option value={`desc ${metric}`}>
                {trans.__('highest %1', short.get(metric) ?? metric)}
              </option>
            </React.Fragment>
          ))}
        </select>
      ) : null}
    </div>
  );
}

interface Choice {
  chosen: ReadonlySet<string>;
  choose(runIds: readonly string[], isChosen: boolean): void;
}

/** The runs of a sweep, which are looked at and ended as one. */
function SweepItem(props: Choice & { group: RunGroup }): React.ReactElement {
  const { group, chosen, choose } = props;
  const trans = useTrans();
  const actions = useActions();
  const { model } = useNotebook();
  const [isOpen, setOpen] = React.useState(false);
  const runIds = group.runs.map(run => run.run_id);
  const unfinished = model.history.unfinishedSweep(group.sweep!);
  // Those that are not in the list yet are older, and have ended.
  const begun = Math.max(group.runs.length, model.history.runsOfSweep(group.sweep!));
  const done = begun - group.runs.filter(run => isActive(run.status)).length;
  const total = Math.max(begun, unfinished?.runs_total ?? 0);
  const isInterrupted = unfinished?.status === 'interrupted';
  const isUnderWay = done < (unfinished?.status === 'running' ? total : begun);
  const created = new Date(group.runs[0].created_at);
  return (
    <li className="jp-Pipelines-sweep" data-sweep={group.sweep}>
      <div className="jp-Pipelines-run">
        <input
          type="checkbox"
          aria-label={trans.__('Choose all runs of the sweep')}
          checked={runIds.every(runId => chosen.has(runId))}
          onChange={event => choose(runIds, event.target.checked)}
        />
        <button
          className="jp-Pipelines-runButton"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          <span className="jp-Pipelines-stepHead">
            <State
              state={isInterrupted ? 'interrupted' : isUnderWay ? 'running' : 'succeeded'}
              isBrief
            />
            <span className="jp-Pipelines-sweepName">
              {trans._n('Sweep of %1 run', 'Sweep of %1 runs', total)}
            </span>
          </span>
          <span className="jp-Pipelines-stepLine">
            <span>{trans.__('%1 of %2 ended', done, total)}</span>
            <span>{Time.formatHuman(created)}</span>
            {isInterrupted ? (
              <span title={trans.__('The process that begins its runs is gone.')}>
                {trans._n('%1 run was not begun', '%1 runs were not begun', total - begun)}
              </span>
            ) : null}
          </span>
        </button>
        <div className="jp-Pipelines-buttons">
          <button
            className="jp-Pipelines-smallButton"
            disabled={group.runs.length < 2}
            onClick={() =>
              void actions.commands.execute(CommandIDs.compareRuns, {
                path: model.path,
                runIds: runIds.slice(0, 50)
              })
            }
          >
            {trans.__('Compare')}
          </button>
          {isInterrupted ? (
            <button
              className="jp-Pipelines-smallButton"
              title={trans.__('Begin the runs that it did not come to')}
              onClick={() => void model.resumeSweep(group.sweep!)}
            >
              {trans.__('Resume')}
            </button>
          ) : isUnderWay ? (
            <button
              className="jp-Pipelines-smallButton"
              onClick={() => void model.cancelSweep(group.sweep!)}
            >
              {trans.__('Cancel')}
            </button>
          ) : null}
        </div>
      </div>
      {isOpen ? (
        <ul>
          {group.runs.map(run => (
            <RunItem key={run.run_id} run={run} chosen={chosen} choose={choose} />
          ))}
        </ul>
      ) : null}
    </li>
  );
}

function RunItem(props: Choice & { run: RunSummary }): React.ReactElement {
  const { run, chosen, choose } = props;
  const trans = useTrans();
  const actions = useActions();
  const notebook = useNotebook();
  const { model } = notebook;
  const isSelected = model.selectedRun?.run_id === run.run_id;
  const isPinned = run.tags.includes(PINNED);
  const created = new Date(run.created_at);
  const when = created.toLocaleString();
  const args = { path: model.path, runId: run.run_id };
  const items: MenuItem[] = [
    { command: CommandIDs.openRun, args },
    { command: CommandIDs.showOutputs, args },
    { command: CommandIDs.restoreVersion, args },
    { command: CommandIDs.useParameters, args },
    null,
    { command: CommandIDs.pinRun, args },
    { command: CommandIDs.editRun, args }
  ];
  return (
    <li className="jp-Pipelines-run" data-run={run.run_id} data-status={run.status}>
      <input
        type="checkbox"
        aria-label={trans.__('Choose the run of %1', when)}
        checked={chosen.has(run.run_id)}
        onChange={event => choose([run.run_id], event.target.checked)}
      />
      <button
        className="jp-Pipelines-runButton"
        aria-pressed={isSelected}
        title={trans.__('Show the steps of this run, of %1', when)}
        onClick={() => void model.selectRun(isSelected ? null : run.run_id)}
      >
        <span className="jp-Pipelines-stepHead">
          <State state={run.status} isBrief={run.status === 'succeeded'} />
          <span className="jp-Pipelines-runTime">{Time.formatHuman(created)}</span>
          {isPinned ? <PinIcon title={trans.__('pinned')} /> : null}
          <span className="jp-Pipelines-duration">
            {run.duration_seconds !== null ? formatDuration(run.duration_seconds) : ''}
          </span>
        </span>
        <span className="jp-Pipelines-stepLine">
          <RunFacts run={run} />
        </span>
      </button>
      <button
        className="jp-Pipelines-smallButton"
        title={trans.__('Open the notebook of this run, read-only')}
        aria-label={trans.__('Open the notebook of the run of %1', when)}
        onClick={() => actions.openRun(notebook, run.run_id)}
      >
        {trans.__('Open')}
      </button>
      <button
        className="jp-Pipelines-iconButton"
        aria-haspopup="menu"
        title={trans.__('More')}
        aria-label={trans.__('More for the run of %1', when)}
        onClick={event => actions.openMenu(event.currentTarget, items)}
      >
        <ellipsesIcon.react tag="span" />
      </button>
    </li>
  );
}

function RunFacts({ run }: { run: RunSummary }): React.ReactElement {
  const trans = useTrans();
  const counts = [
    run.steps_executed > 0 ? trans.__('%1 executed', run.steps_executed) : '',
    run.steps_reused > 0 ? trans.__('%1 reused', run.steps_reused) : '',
    run.steps_failed > 0 ? trans.__('%1 failed', run.steps_failed) : ''
  ].filter(Boolean);
  const metrics = Object.entries(run.metrics ?? {});
  const short = shortMetrics(metrics.map(([name]) => name));
  const told = [
    ...metrics
      .slice(0, FEW_METRICS)
      .map(([name, value]) => `${short.get(name)} ${formatNumber(value)}`),
    ...Object.entries(run.parameters).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  ];
  return (
    <>
      {run.tags
        .filter(tag => tag !== PINNED)
        .map(tag => (
          <span className="jp-Pipelines-tag" key={tag}>
            {tag}
          </span>
        ))}
      <span>{[run.comment, ...told, ...counts].filter(Boolean).join(' · ')}</span>
    </>
  );
}
