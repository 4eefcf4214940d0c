/** What a step did to a table that it read. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import type { TableChange } from '../../tokens';

/** More names than these are counted. */
const MOST_NAMES = 12;

export function Changes({ changes }: { changes: TableChange }): React.ReactElement {
  const trans = useTrans();
  const { rows_before: before, rows_after: after } = changes;
  const dropped = before - after;
  const made = changes.nulls.reduce((sum, one) => sum + Math.max(0, one.after - one.before), 0);
  const lost = changes.categories_lost.reduce((sum, one) => sum + one.values.length, 0);
  const most = Math.max(before, after, 1);
  return (
    <div className="jp-Pipelines-changes">
      <dl>
        <div>
          <dt>{trans.__('Rows')}</dt>
          <dd>
            {before.toLocaleString()} → {after.toLocaleString()}
            {dropped !== 0 ? (
              <strong>
                {' '}
                {dropped > 0
                  ? trans.__('%1 dropped', dropped.toLocaleString())
                  : trans.__('%1 added', (-dropped).toLocaleString())}
              </strong>
            ) : null}
            <span className="jp-Pipelines-flow" aria-hidden="true">
              <span style={{ width: `${(100 * before) / most}%` }} />
              <span style={{ width: `${(100 * after) / most}%` }} />
            </span>
          </dd>
        </div>
        <Names title={trans.__('Columns added')} names={changes.columns_added} />
        <Names title={trans.__('Columns removed')} names={changes.columns_removed} />
        <Names
          title={trans.__('Columns renamed')}
          names={changes.columns_renamed.map(one => `${one.before} → ${one.after}`)}
        />
        <div>
          <dt>{trans.__('Nulls made')}</dt>
          <dd>{made.toLocaleString()}</dd>
        </div>
        <div>
          <dt>{trans.__('Categories lost')}</dt>
          <dd>{lost.toLocaleString()}</dd>
        </div>
      </dl>
    </div>
  );
}

function Names(props: { title: string; names: readonly string[] }): React.ReactElement | null {
  const { title, names } = props;
  const trans = useTrans();
  const left = names.length - MOST_NAMES;
  return names.length > 0 ? (
    <div>
      <dt>{title}</dt>
      <dd>
        {names.slice(0, MOST_NAMES).map((name, at) => (
          <React.Fragment key={name}>
            {at > 0 ? ', ' : null}
            <code>{name}</code>
          </React.Fragment>
        ))}
        {left > 0 ? ` ${trans._n('and %1 more', 'and %1 more', left)}` : null}
      </dd>
    </div>
  ) : null;
}
