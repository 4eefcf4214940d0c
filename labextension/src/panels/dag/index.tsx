import * as React from 'react';

import type { Pipeline } from '../../tokens';

const Graph = React.lazy(() => import('./graph'));

/** The frame of the drawing. It is drawn anew once its size is known, and when it changes. */
export function DagPanel({ pipeline }: { pipeline: Pipeline }): React.ReactElement {
  const frame = React.useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  return (
    <div className="jp-Pipelines-dag" ref={frame} style={{ height: dagHeight(pipeline) }}>
      {width > 0 ? (
        <React.Suspense fallback={null}>
          <Graph key={width} pipeline={pipeline} width={width} />
        </React.Suspense>
      ) : null}
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
  return `${Math.max(1, ...depth.values()) * 66 + 24}px`;
}

/** The width of an element, in steps coarse enough not to draw at every pixel; 0 while hidden. */
function useWidth(element: React.RefObject<HTMLElement>): number {
  const [width, setWidth] = React.useState(0);
  React.useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      setWidth(Math.round(entry.contentRect.width / 20) * 20);
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return width;
}
