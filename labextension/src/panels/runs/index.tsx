/** The runs of the notebook, newest first. */
import { Time } from '@jupyterlab/coreutils';
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { Section } from '../../components/section';
import { State } from '../../components/state';
import type { RunSummary } from '../../tokens';
import { formatDuration } from '../../units';

export function RunsPanel(): React.ReactElement | null {
  const trans = useTrans();
  const { runs } = useNotebook().model;
  return (
    <Section title={trans.__('Runs')} note={runs.length > 0 ? String(runs.length) : undefined}>
      {runs.length > 0 ? (
        <ul className="jp-Pipelines-runs">
          {runs.map(run => (
            <RunItem key={run.run_id} run={run} />
          ))}
        </ul>
      ) : (
        <p className="jp-Pipelines-note">{trans.__('This notebook has not been run yet.')}</p>
      )}
    </Section>
  );
}

function RunItem({ run }: { run: RunSummary }): React.ReactElement {
  const trans = useTrans();
  const actions = useActions();
  const notebook = useNotebook();
  const { model } = notebook;
  const isSelected = model.selectedRun?.run_id === run.run_id;
  const created = new Date(run.created_at);
  return (
    <li className="jp-Pipelines-run" data-run={run.run_id} data-status={run.status}>
      <button
        className="jp-Pipelines-runButton"
        aria-pressed={isSelected}
        title={trans.__('Show the steps of this run, of %1', created.toLocaleString())}
        onClick={() => void model.selectRun(isSelected ? null : run.run_id)}
      >
        <span className="jp-Pipelines-stepHead">
          <State state={run.status} />
          <span className="jp-Pipelines-runTime">{Time.formatHuman(created)}</span>
          <span className="jp-Pipelines-duration">
            {run.duration_seconds !== null ? formatDuration(run.duration_seconds) : ''}
          </span>
        </span>
        <span className="jp-Pipelines-stepLine">
          <RunCounts run={run} />
        </span>
      </button>
      <button
        className="jp-Pipelines-smallButton"
        title={trans.__('Open the notebook of this run, read-only')}
        aria-label={trans.__('Open the notebook of the run of %1', created.toLocaleString())}
        onClick={() => actions.openRun(notebook, run.run_id)}
      >
        {trans.__('Open')}
      </button>
    </li>
  );
}

function RunCounts({ run }: { run: RunSummary }): React.ReactElement {
  const trans = useTrans();
  const counts = [
    trans.__('%1 executed', run.steps_executed),
    trans.__('%1 reused', run.steps_reused)
  ];
  if (run.steps_failed > 0) {
    counts.push(trans.__('%1 failed', run.steps_failed));
  }
  return (
    <>
      <span>{counts.join(' · ')}</span>
      {run.tags.map(tag => (
        <span className="jp-Pipelines-tag" key={tag}>
          {tag}
        </span>
      ))}
      {run.comment ? <span>{run.comment}</span> : null}
    </>
  );
}
