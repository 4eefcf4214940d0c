import * as React from 'react';

import { useNotebook } from '../../components/context';
import { groupSteps } from '../../groups';
import type { Pipeline } from '../../tokens';
import type { Size } from './layout';

const Graph = React.lazy(() => import('./graph'));

/** The frame of the drawing, which is drawn for the frame's size, and anew when that changes. */
export function DagPanel({ pipeline }: { pipeline: Pipeline }): React.ReactElement {
  const element = React.useRef<HTMLDivElement>(null);
  const frame = useSize(element);
  const { model } = useNotebook();
  const groups = React.useMemo(() => groupSteps(model.content(), pipeline.steps), [pipeline]);
  return (
    <div className="jp-Pipelines-dag" style={{ height: dagHeight(pipeline) }}>
      <div className="jp-Pipelines-drawing" ref={element}>
        {frame ? (
          <React.Suspense fallback={null}>
            <Graph pipeline={pipeline} groups={groups} frame={frame} />
          </React.Suspense>
        ) : null}
      </div>
    </div>
  );
}

/** Room for the longest way through the graph, within limits that the style sheet sets. */
function dagHeight({ steps, edges }: Pipeline): string {
  const depth = new Map(steps.map(step => [step.name, 1]));
  for (const step of steps) {
    for (const edge of edges) {
      if (edge.target === step.name) {
        const below = (depth.get(edge.source) ?? 0) + 1;
        depth.set(step.name, Math.max(depth.get(step.name)!, below));
      }
    }
  }
  return `${Math.max(1, ...depth.values()) * 60 + 54}px`;
}

/** The foot of the drawing, which its frame also holds. */
const FOOT = 30;

/** The size of the drawing's frame, in steps coarse enough not to draw at every pixel; null while hidden. */
function useSize(element: React.RefObject<HTMLElement>): Size | null {
  const [size, setSize] = React.useState<Size | null>(null);
  React.useEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => {
      const width = Math.floor(contentRect.width / 10) * 10;
      const height = Math.floor((contentRect.height - FOOT) / 10) * 10;
      if (width > 0 && height > 0) {
        setSize(old => (old?.width === width && old.height === height ? old : { width, height }));
      }
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return size;
}
