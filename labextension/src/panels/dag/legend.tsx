import * as React from 'react';

import { useTrans } from '../../components/context';
import { edgeKind, type EdgeKind } from '../../state';
import type { Edge } from '../../tokens';

/** What the lines stand for that are not plain; nothing if all are. */
export function Legend({ edges }: { edges: readonly Edge[] }): React.ReactElement | null {
  const trans = useTrans();
  const words: [EdgeKind, string, string][] = [
    [
      'kernel',
      trans.__('one kernel'),
      trans.__('The steps share what cannot be stored: one goes on in the kernel of the other')
    ],
    ['learned', trans.__('learned'), trans.__('Seen while the steps ran, not in their code')],
    ['explicit', trans.__('by a tag'), trans.__('A tag says that one step waits for the other')]
  ];
  const present = new Set(edges.map(edgeKind));
  const shown = words.filter(([kind]) => present.has(kind));
  return shown.length > 0 ? (
    <ul className="jp-Pipelines-legend" aria-label={trans.__('Lines of the graph')}>
      {shown.map(([kind, word, sentence]) => (
        <li key={kind} title={sentence}>
          <svg className={`jp-mod-${kind}`} width="18" height="6" aria-hidden="true">
            <path d="M1 3h16" />
          </svg>
          {word}
        </li>
      ))}
    </ul>
  ) : null;
}
