/**
 * Charts of Altair 6. It names Vega-Lite 6's mime type, which JupyterLab's renderer for Vega-Lite
 * does not know though it draws such charts: they are handed on to it under the name that it knows.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { PartialJSONObject } from '@lumino/coreutils';
import { Panel } from '@lumino/widgets';

import { NAMESPACE } from '../tokens';

const KNOWN = 'application/vnd.vegalite.v5+json';
const NEWER = ['application/vnd.vegalite.v6.json', 'application/vnd.vegalite.v6+json'];
/** Before text and pictures, as JupyterLab ranks its own. */
const RANK = 49;

export const vega: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:vega`,
  description: 'Draws charts of Vega-Lite 6 with JupyterLab’s renderer.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry) => {
    // JupyterLab's own renderers are there when it has started.
    void app.started.then(() => {
      const unknown = NEWER.filter(type => !rendermime.getFactory(type));
      if (unknown.length > 0 && rendermime.getFactory(KNOWN)) {
        rendermime.addFactory(
          {
            safe: true,
            mimeTypes: unknown,
            createRenderer: options => new DelegatedChart(options.mimeType, rendermime)
          },
          RANK
        );
      }
    });
  }
};

class DelegatedChart extends Panel implements IRenderMime.IRenderer {
  constructor(
    private readonly _mimeType: string,
    rendermime: IRenderMimeRegistry
  ) {
    super();
    this._inner = rendermime.createRenderer(KNOWN);
    this.addWidget(this._inner);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    // The renderer adds a picture to the model, and the output is drawn again when its model
    // changes. Handed down and up, the picture is there the second time, and that is the end of it.
    const picture = model.data['image/png'];
    return this._inner.renderModel(
      new MimeModel({
        trusted: model.trusted,
        data: { [KNOWN]: model.data[this._mimeType], ...(picture ? { 'image/png': picture } : {}) },
        metadata: { [KNOWN]: (model.metadata[this._mimeType] ?? {}) as PartialJSONObject },
        callback: ({ data }) => {
          const drawn = data?.['image/png'];
          if (drawn && !model.data['image/png']) {
            model.setData({ data: { ...model.data, 'image/png': drawn } });
          }
        }
      })
    );
  }

  private readonly _inner: IRenderMime.IRenderer;
}
