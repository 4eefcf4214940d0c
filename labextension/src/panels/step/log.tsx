/** What the step writes, while it runs and afterwards. */
import * as React from 'react';

import { useNotebook, useTrans } from '../../components/context';
import { LogLines } from '../../components/logLines';
import { followLog, MOST_LINES, NO_LOG } from '../../log';
import type { LogPiece, StepRun } from '../../tokens';
import { formatSize } from '../../units';

const POLL_MS = 1000;
/** Of a longer log the end is fetched and shown. */
const MOST_BYTES = 200_000;

export function Log(props: { stepRun: StepRun; runId: string }): React.ReactElement {
  const { stepRun, runId } = props;
  const trans = useTrans();
  const { model } = useNotebook();
  const isRunning = stepRun.status === 'running';
  const [isOpen, setOpen] = React.useState(isRunning);
  const [seen, setSeen] = React.useState<LogPiece | null>(null);
  const [error, setError] = React.useState('');

  React.useEffect(() => {
    if (!isOpen) {
      return;
    }
    let isWanted = true;
    let timer: ReturnType<typeof setTimeout>;
    let known = NO_LOG;
    const ask = async (): Promise<void> => {
      try {
        const { client, path } = model;
        const part = await client.stepLog(path, runId, stepRun.name, known.end, MOST_BYTES);
        if (isWanted) {
          known = followLog(known, part, MOST_BYTES);
          setSeen(known);
          setError('');
        }
      } catch (reason) {
        if (isWanted) {
          setError(reason instanceof Error ? reason.message : String(reason));
        }
      }
      if (isWanted && isRunning) {
        timer = setTimeout(() => void ask(), POLL_MS);
      }
    };
    void ask();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [isOpen, runId, stepRun.name, stepRun.status]);

  const isCut = seen !== null && (seen.start > 0 || seen.log.split('\n').length > MOST_LINES + 1);
  return (
    <details open={isOpen} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Log')}</summary>
      {isCut ? (
        <p className="jp-Pipelines-small">
          {trans.__('The end of %1.', formatSize(seen.end))}{' '}
          <a
            className="jp-Pipelines-link"
            href={model.client.stepLogUrl(model.path, runId, stepRun.name)}
            target="_blank"
            rel="noopener"
          >
            {trans.__('Open the whole log')}
          </a>
        </p>
      ) : null}
      <LogLines text={seen?.log ?? (error || null)} isGrowing={isRunning} isEnd={isCut} />
    </details>
  );
}
