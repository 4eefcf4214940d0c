import * as React from 'react';

import { diffLines, type DiffLine } from '../diff';
import { useTrans } from './context';

const SIGNS: { [kind in DiffLine['kind']]: string } = {
  same: ' ',
  added: '+',
  removed: '-',
  gap: '⋯'
};

/** Two texts as one, with what was taken away and what was added; nothing where they are the same. */
export function DiffView(props: { before: string; after: string }): React.ReactElement | null {
  const trans = useTrans();
  const lines = diffLines(props.before, props.after);
  return lines.length > 0 ? (
    <pre className="jp-Pipelines-diff" tabIndex={0} aria-label={trans.__('Changes')}>
      {lines.map((line, at) => (
        <span key={at} data-kind={line.kind}>
          {`${SIGNS[line.kind]} ${line.text}\n`}
        </span>
      ))}
    </pre>
  ) : null;
}
