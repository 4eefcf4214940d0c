/** What JupyterLab's renderers draw: outputs of cells, and markdown. */
import type { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { MimeModel, type IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { RenderContext } from './context';

/** Outputs as the notebook shows them. */
export function RenderedOutputs(props: {
  outputs: readonly IOutput[];
  isTrusted: boolean;
}): React.ReactElement {
  const { outputs, isTrusted } = props;
  return (
    <Rendered
      className="jp-Pipelines-outputs"
      content={JSON.stringify([outputs, isTrusted])}
      make={rendermime =>
        new SimplifiedOutputArea({
          model: new OutputAreaModel({ values: [...outputs], trusted: isTrusted }),
          rendermime: rendermime.clone()
        })
      }
    />
  );
}

export function RenderedMarkdown({ text }: { text: string }): React.ReactElement {
  return (
    <Rendered
      className="jp-Pipelines-markdown"
      content={text}
      make={rendermime => {
        const renderer = rendermime.createRenderer('text/markdown');
        void renderer.renderModel(new MimeModel({ data: { 'text/markdown': text } }));
        return renderer;
      }}
    />
  );
}

/** Anything of one MIME type, such as a chart. */
export function RenderedMime(props: {
  type: string;
  data: object;
  className?: string;
}): React.ReactElement {
  const { type, data, className } = props;
  return (
    <Rendered
      className={className ?? 'jp-Pipelines-chart'}
      content={JSON.stringify([type, data])}
      make={rendermime => {
        const renderer = rendermime.createRenderer(type);
        // The picture that a chart's renderer adds is not kept.
        void renderer.renderModel(
          new MimeModel({
            trusted: true,
            data: { [type]: data as never },
            callback: () => undefined
          })
        );
        return renderer;
      }}
    />
  );
}

interface RenderedProps {
  className: string;
  /** Drawn anew when this changes. */
  content: string;
  make(rendermime: IRenderMimeRegistry): Widget;
}

/** The place of a Lumino widget within React. */
function Rendered({ className, content, make }: RenderedProps): React.ReactElement | null {
  const rendermime = React.useContext(RenderContext);
  const host = React.useRef<HTMLDivElement>(null);
  // A layout effect, because a widget must be detached before React removes its host.
  React.useLayoutEffect(() => {
    if (!rendermime || !host.current) {
      return;
    }
    const widget = make(rendermime);
    Widget.attach(widget, host.current);
    return () => widget.dispose();
  }, [content, rendermime]);
  return rendermime ? <div ref={host} className={className} /> : null;
}
