/** A distribution, large: drawn by JupyterLab's own Vega, or without it as it stands in the line, larger. */
import * as React from 'react';

import { basis, readTheme, VEGA_LITE, type Spec, type Theme } from '../../charts';
import { RenderContext, useTrans } from '../../components/context';
import { RenderedMime } from '../../components/rendered';
import type { Bins } from '../../tokens';
import { inWords, Sparkline } from './sparkline';

const HEIGHT = 180;

interface ChartProps {
  bins: Bins;
  /** Vega-Lite; null until it is there. */
  spec: Spec | null;
}

export function DistributionChart({ bins, spec }: ChartProps): React.ReactElement {
  const trans = useTrans();
  const rendermime = React.useContext(RenderContext);
  const [place, setPlace] = React.useState<HTMLElement | null>(null);
  const width = useWidth(place);
  const theme = useTheme(place);
  const label = inWords(trans, bins);
  const canDraw = rendermime?.mimeTypes.includes(VEGA_LITE) ?? false;
  return (
    <figure ref={setPlace} className="jp-Pipelines-distribution">
      {spec && canDraw && theme && width > 0 ? (
        <div role="img" aria-label={label}>
          <RenderedMime type={VEGA_LITE} data={inColours(spec, theme, width)} />
        </div>
      ) : (
        <StaticChart bins={bins} label={label} />
      )}
      <figcaption>
        <span className="jp-Pipelines-key" data-side="current">
          {trans.__('this run')}
        </span>
        {bins.reference ? (
          <span className="jp-Pipelines-key" data-side="reference">
            {trans.__('compared with')}
          </span>
        ) : null}
        {bins.unseen?.some(Boolean) ? (
          <span className="jp-Pipelines-key" data-side="unseen">
            {trans.__('never seen there')}
          </span>
        ) : null}
      </figcaption>
    </figure>
  );
}

function StaticChart({ bins, label }: { bins: Bins; label: string }): React.ReactElement {
  return (
    <div className="jp-Pipelines-staticChart">
      <Sparkline bins={bins} label={label} width={480} height={HEIGHT} />
      {bins.kind === 'numbers' ? (
        <p aria-hidden="true">
          <span>{bins.start_text}</span>
          <span>{bins.stop_text}</span>
        </p>
      ) : null}
    </div>
  );
}

/** The chart in the colours of the page. */
export function inColours(spec: Spec, theme: Theme, width: number): Spec {
  const base = basis(theme);
  return {
    ...spec,
    ...base,
    width,
    autosize: { type: 'fit-x', contains: 'padding' },
    config: {
      ...(base.config as Spec),
      axis: { ...((base.config as Spec).axis as Spec), labelLimit: Math.round(width * 0.35) },
      style: {
        reference: { color: theme.text, opacity: 0.25 },
        current: { color: theme.line },
        unseen: { color: theme.error }
      }
    }
  };
}

/** How wide an element is, in steps, so that dragging an edge does not draw at every pixel. */
function useWidth(element: HTMLElement | null): number {
  const [width, setWidth] = React.useState(0);
  React.useLayoutEffect(() => {
    if (!element) {
      return;
    }
    const measure = (): void => {
      // 0 while it is hidden: then it stays as it is.
      const wide = Math.floor(element.clientWidth / 10) * 10;
      setWidth(old => wide || old);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** The colours of the page, read again when it gets another theme. */
function useTheme(element: HTMLElement | null): Theme | null {
  const [theme, setTheme] = React.useState<Theme | null>(null);
  React.useEffect(() => {
    if (!element) {
      return;
    }
    const read = (): void => setTheme(readTheme(element));
    read();
    // The style sheet is there when the name changes, and counts from the next frame on.
    const observer = new MutationObserver(() => requestAnimationFrame(read));
    observer.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
    return () => observer.disconnect();
  }, [element]);
  return theme;
}
