/** Where widgets go in JupyterLab's shell, and in that of Notebook 7. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { SplitPanel, type Widget } from '@lumino/widgets';

/** Pixels that a document gets below the notebook. */
const HEIGHT_BELOW = 420;

/**
 * Put a widget beside the notebooks and show it. Notebook 7 has one document in its main area: there it
 * goes below.
 */
export function addToMain({ shell }: JupyterFrontEnd, widget: Widget): void {
  shell.add(widget, 'main');
  const isBelow = !widget.isAttached && !widget.parent;
  if (isBelow) {
    shell.add(widget, 'down');
  }
  shell.activateById(widget.id);
  if (isBelow) {
    // The area has its size in the next frame.
    requestAnimationFrame(() => giveRoom(widget, HEIGHT_BELOW));
  }
}

/** Make the area that a widget stands in at least so many pixels wide, or high. */
export function giveRoom(widget: Widget, pixels: number): void {
  let area = widget;
  while (area.parent && !(area.parent instanceof SplitPanel)) {
    area = area.parent;
  }
  const panel = area.parent;
  if (!(panel instanceof SplitPanel)) {
    return;
  }
  const lengthOf = ({ node }: Widget): number =>
    panel.orientation === 'vertical' ? node.clientHeight : node.clientWidth;
  if (lengthOf(area) < pixels) {
    const sizes = panel.relativeSizes();
    const index = panel.widgets.indexOf(area);
    const share = Math.min(0.6, pixels / lengthOf(panel));
    const rest = (1 - share) / (1 - sizes[index]);
    panel.setRelativeSizes(sizes.map((size, at) => (at === index ? share : size * rest)));
  }
}
