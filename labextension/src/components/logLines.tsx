/** The lines of a log, with progress bars shown as such. */
import * as React from 'react';

import { readLog } from '../log';
import { useTrans } from './context';

interface LogLinesProps {
  /** Null until it is there. */
  text: string | null;
  /** Whether more is to come: then its end stays in sight. */
  isGrowing: boolean;
  /** Whether its beginning is missing: then the end is what one wants to see. */
  isEnd?: boolean;
}

export function LogLines({ text, isGrowing, isEnd }: LogLinesProps): React.ReactElement {
  const trans = useTrans();
  const element = React.useRef<HTMLDivElement>(null);
  const lines = React.useMemo(() => readLog(text ?? ''), [text]);
  const wasAtEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    const { current } = element;
    if ((isGrowing || isEnd) && current && wasAtEnd.current) {
      current.scrollTop = current.scrollHeight;
    }
  }, [lines, isGrowing, isEnd]);
  return (
    <div
      ref={element}
      className="jp-Pipelines-log"
      tabIndex={0}
      role="log"
      aria-label={trans.__('Log')}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        // Whoever has scrolled up is reading there.
        wasAtEnd.current = scrollTop + clientHeight >= scrollHeight - 8;
      }}
    >
      {text === null ? (
        <pre>{trans.__('Loading…')}</pre>
      ) : lines.length === 0 ? (
        <pre>{isGrowing ? '' : trans.__('It wrote nothing.')}</pre>
      ) : (
        lines.map((line, at) =>
          line.kind === 'progress' ? (
            <div key={at} className="jp-Pipelines-progress">
              <span>{line.label}</span>
              <progress max={100} value={line.percent} aria-label={line.label || undefined} />
              <span>{`${line.percent}% ${line.note}`}</span>
            </div>
          ) : (
            <pre key={at}>{line.text || ' '}</pre>
          )
        )
      )}
    </div>
  );
}
