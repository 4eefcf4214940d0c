/** Chooses what a table is compared with: the run's reference, another run, another table of the run. */
import { Time } from '@jupyterlab/coreutils';
import * as React from 'react';

import { useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import { PINNED, type Glance, type RunSummary } from '../../tokens';
import { useSource } from './source';

const MOST_RUNS = 30;

interface AgainstChoiceProps {
  glance: Glance;
  value: string;
  tables: readonly string[];
  onChange(against: string): void;
}

export function AgainstChoice(props: AgainstChoiceProps): React.ReactElement {
  const { glance, value, onChange } = props;
  const trans = useTrans();
  const { client, path, runId, table } = useSource();
  const { value: page } = useFetched(`${path} ${runId}`, () =>
    client.runs(path, { limit: MOST_RUNS })
  );
  const runs = (page?.runs ?? []).filter(
    run => run.run_id !== runId && run.status !== 'running' && run.status !== 'queued'
  );
  const pinned = runs.filter(run => run.tags.includes(PINNED));
  const others = runs.filter(run => !run.tags.includes(PINNED));
  const isUsualKnown = glance.against?.is_usual ?? false;
  const usual = runs.find(run => run.run_id === glance.against?.run_id);
  const beside = props.tables.filter(other => other !== table && !glance.upstream.includes(other));
  return (
    <label className="jp-Pipelines-against">
      <span>{trans.__('Compared with')}</span>
      <select value={value} onChange={event => onChange(event.target.value)}>
        <option value="">
          {value !== '' || !glance.against
            ? value === ''
              ? trans.__('nothing yet: no earlier run to compare with')
              : trans.__('the last good run')
            : isUsualKnown && usual
              ? trans.__('the last good run: %1', runName(usual))
              : trans.__('the last good run')}
        </option>
        {glance.upstream.length > 0 ? (
          <optgroup label={trans.__('What the step made it of')}>
            {glance.upstream.map(other => (
              <option key={other} value={other}>
                {other}
              </option>
            ))}
          </optgroup>
        ) : null}
        {glance.is_pinned ? (
          <option value="pinned">{trans.__('the table that was agreed to')}</option>
        ) : null}
        {pinned.length > 0 ? <Runs label={trans.__('Pinned runs')} runs={pinned} /> : null}
        {others.length > 0 ? <Runs label={trans.__('Runs')} runs={others} /> : null}
        {beside.length > 0 ? (
          <optgroup label={trans.__('Other tables of this run')}>
            {beside.map(other => (
              <option key={other} value={other}>
                {other}
              </option>
            ))}
          </optgroup>
        ) : null}
      </select>
    </label>
  );
}

function Runs(props: { label: string; runs: readonly RunSummary[] }): React.ReactElement {
  return (
    <optgroup label={props.label}>
      {props.runs.map(run => (
        <option key={run.run_id} value={run.run_id}>
          {runName(run)}
        </option>
      ))}
    </optgroup>
  );
}

/** When it was, and what a person has called it or chosen for it. */
export function runName(
  run: Pick<RunSummary, 'tags' | 'comment' | 'parameters' | 'created_at'>
): string {
  const tags = run.tags.filter(tag => tag !== PINNED);
  const parameters = Object.entries(run.parameters).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`
  );
  const words = [run.comment, ...tags, ...parameters].filter(Boolean).join(', ');
  const time = Time.format(new Date(run.created_at));
  return words ? `${time} · ${words.slice(0, 60)}` : time;
}
