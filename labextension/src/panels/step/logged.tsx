/** What the step's cells have logged: curves of metrics, figures and texts; while it runs, so far. */
import * as React from 'react';

import { curve, readTheme, VEGA_LITE } from '../../charts';
import { useNotebook, useTrans } from '../../components/context';
import { useFetched } from '../../components/fetched';
import { useNow } from '../../components/now';
import { RenderedMime, RenderedOutputs } from '../../components/rendered';
import type { StepRun } from '../../tokens';

/** Seconds between two looks while the step runs. */
const POLL_SECONDS = 2;

export function LoggedView(props: { stepRun: StepRun; runId: string }): React.ReactElement | null {
  const { stepRun, runId } = props;
  const trans = useTrans();
  const { model, panel } = useNotebook();
  const isRunning = stepRun.status === 'running';
  const round = Math.floor(useNow(isRunning) / 1000 / POLL_SECONDS);
  const key = `${runId} ${stepRun.name} ${stepRun.status} ${isRunning ? round : ''}`;
  const { value } = useFetched(key, () => model.client.stepLogged(model.path, runId, stepRun.name));
  const last = React.useRef(value);
  last.current = value ?? last.current;
  const logged = last.current;
  const curves = Object.entries(logged?.metrics ?? {}).filter(([, points]) => points.length > 1);
  const figures = Object.entries(logged?.figures ?? {});
  const texts = Object.entries(logged?.texts ?? {});
  if (curves.length + figures.length + texts.length === 0) {
    return null;
  }
  const theme = readTheme(panel.node);
  return (
    <details className="jp-Pipelines-part" open>
      <summary>{trans.__('What it logged')}</summary>
      <div className="jp-Pipelines-charts">
        {curves.map(([name, points]) => (
          <RenderedMime key={name} type={VEGA_LITE} data={curve(name, points, theme)} />
        ))}
      </div>
      {figures.map(([name, data]) => (
        <figure key={name}>
          <RenderedOutputs
            outputs={[{ output_type: 'display_data', metadata: {}, data: data as never }]}
            isTrusted={false}
          />
          <figcaption className="jp-Pipelines-small">{name}</figcaption>
        </figure>
      ))}
      {texts.map(([name, text]) => (
        <div key={name}>
          <p className="jp-Pipelines-small">{name}</p>
          <pre tabIndex={0}>{text}</pre>
        </div>
      ))}
    </details>
  );
}
