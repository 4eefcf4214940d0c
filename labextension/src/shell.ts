import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Widget } from '@lumino/widgets';

/**
 * Put a widget beside the notebooks and show it. Notebook 7 has one document in its main area: there it
 * goes below.
 */
export function addToMain({ shell }: JupyterFrontEnd, widget: Widget): void {
  shell.add(widget, 'main');
  if (!widget.isAttached && !widget.parent) {
    shell.add(widget, 'down');
  }
  shell.activateById(widget.id);
}
