/** What the step writes, while it runs and afterwards. */
import * as React from 'react';

import { useNotebook, useTrans } from '../../components/context';
import { readLog } from '../../log';
import type { StepRun } from '../../tokens';

const POLL_MS = 1000;

export function Log(props: { stepRun: StepRun; runId: string }): React.ReactElement {
  const { stepRun, runId } = props;
  const trans = useTrans();
  const { model } = useNotebook();
  const isRunning = stepRun.status === 'running';
  const [isOpen, setOpen] = React.useState(isRunning);
  const [text, setText] = React.useState<string | null>(null);
  const element = React.useRef<HTMLDivElement>(null);

  React.useEffect(() => {
    if (!isOpen) {
      return;
    }
    let isWanted = true;
    const ask = async (): Promise<void> => {
      try {
        const log = await model.client.stepLog(model.path, runId, stepRun.name);
        if (isWanted) {
          setText(log);
        }
      } catch (error) {
        if (isWanted) {
          setText(error instanceof Error ? error.message : String(error));
        }
      }
    };
    void ask();
    const timer = isRunning ? setInterval(() => void ask(), POLL_MS) : undefined;
    return () => {
      isWanted = false;
      clearInterval(timer);
    };
  }, [isOpen, runId, stepRun.name, stepRun.status]);

  React.useEffect(() => {
    // The end of what is being written stays in sight.
    if (isRunning && element.current) {
      element.current.scrollTop = element.current.scrollHeight;
    }
  }, [text]);

  const lines = React.useMemo(() => readLog(text ?? ''), [text]);
  return (
    <details open={isOpen} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Log')}</summary>
      <div
        ref={element}
        className="jp-Pipelines-log"
        tabIndex={0}
        role="log"
        aria-label={trans.__('Log')}
      >
        {text === null ? (
          <pre>{trans.__('Loading…')}</pre>
        ) : lines.length === 0 ? (
          <pre>{isRunning ? '' : trans.__('It wrote nothing.')}</pre>
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
    </details>
  );
}
