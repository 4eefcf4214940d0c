import * as React from 'react';

import type { Pipeline } from '../../tokens';
import type { Size } from './layout';
import { Legend } from './legend';

const Graph = React.lazy(() => import('./graph'));

/** The frame of the drawing, which is drawn for the frame's size, and anew when that changes. */
export function DagPanel({ pipeline }: { pipeline: Pipeline }): React.ReactElement {
  const element = React.useRef<HTMLDivElement>(null);
  const frame = useSize(element);
  return (
    <div className="jp-Pipelines-dag" style={{ height: dagHeight(pipeline) }}>
      <div className="jp-Pipelines-drawing" ref={element}>
        {frame ? (
          <React.Suspense fallback={null}>
            <Graph pipeline={pipeline} frame={frame} />
          </React.Suspense>
        ) : null}
      </div>
      <Legend edges={pipeline.edges} />
    </div>
  );
}

/** Room for the longest way through the graph, within limits that the style sheet sets. */
function dagHeight({ steps, edges }: Pipeline): string {
  const depth = new Map<string, number>();
  for (const step of steps) {
    const above = edges.filter(edge => edge.target === step.name);
    depth.set(step.name, 1 + Math.max(0, ...above.map(edge => depth.get(edge.source) ?? 0)));
  }
  return `${Math.max(1, ...depth.values()) * 60 + 24}px`;
}

/** The size of an element, in steps coarse enough not to draw at every pixel; null while hidden. */
function useSize(element: React.RefObject<HTMLElement>): Size | null {
  const [size, setSize] = React.useState<Size | null>(null);
  React.useEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => {
      const width = Math.floor(contentRect.width / 10) * 10;
      const height = Math.floor(contentRect.height / 10) * 10;
      if (width > 0 && height > 0) {
        setSize(old => (old?.width === width && old.height === height ? old : { width, height }));
      }
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return size;
}
