/** What the step writes, while it runs and afterwards. */
import * as React from 'react';

import { useNotebook, useTrans } from '../../components/context';
import { LogLines } from '../../components/logLines';
import type { StepRun } from '../../tokens';

const POLL_MS = 1000;

export function Log(props: { stepRun: StepRun; runId: string }): React.ReactElement {
  const { stepRun, runId } = props;
  const trans = useTrans();
  const { model } = useNotebook();
  const isRunning = stepRun.status === 'running';
  const [isOpen, setOpen] = React.useState(isRunning);
  const [text, setText] = React.useState<string | null>(null);

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

  return (
    <details open={isOpen} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Log')}</summary>
      <LogLines text={text} isGrowing={isRunning} />
    </details>
  );
}
