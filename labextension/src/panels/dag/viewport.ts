/** Moves and scales the drawing under the pointer, without drawing it anew. */
import { fit, type Place, type Size, type View } from './layout';

const MIN_ZOOM = 0.08;
const MAX_ZOOM = 2;
const STEP = 1.25;
/** Pixels between what is shown on purpose and the edge of the frame. */
const MARGIN = 16;
/** Pixels that the pointer must move before a press is a drag. */
const DRAG = 4;

/**
 * Owns what part of a drawing is seen.
 *
 * The layer is moved by a transformation, so that 300 steps pan as smoothly as three. `onChange` tells
 * whoever draws the same part elsewhere, the minimap.
 */
export class Viewport {
  constructor(
    private readonly _frame: HTMLElement,
    private readonly _layer: HTMLElement,
    private readonly _onChange: (view: View) => void
  ) {
    this._frame.addEventListener('wheel', this._onWheel, { passive: false });
    this._frame.addEventListener('pointerdown', this._onPointerDown);
  }

  get view(): View {
    return this._view;
  }

  set view(view: View) {
    this._view = view;
    const { x, y, zoom } = view;
    if (zoom !== this._zoom) {
      // Words on the lines keep their size; not told while panning, which must cost nothing.
      this._zoom = zoom;
      this._layer.style.setProperty('--jp-pipelines-zoom', String(zoom));
    }
    this._layer.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    this._onChange(view);
  }

  dispose(): void {
    this._frame.removeEventListener('wheel', this._onWheel);
    this._frame.removeEventListener('pointerdown', this._onPointerDown);
    this._endDrag?.();
  }

  zoomIn(): void {
    this._zoomAt(STEP, this._frame.clientWidth / 2, this._frame.clientHeight / 2);
  }

  zoomOut(): void {
    this._zoomAt(1 / STEP, this._frame.clientWidth / 2, this._frame.clientHeight / 2);
  }

  /** Show all of the drawing. */
  fit(drawing: Size): void {
    this.view = fit(drawing, this._size(), MIN_ZOOM);
  }

  /** Move as little as needed to show a place. */
  reveal(place: Place): void {
    const { x, y, zoom } = this._view;
    const { width, height } = this._size();
    this.view = {
      x: moved(x, place.x * zoom, place.width * zoom, width),
      y: moved(y, place.y * zoom, place.height * zoom, height),
      zoom
    };
  }

  /** Put a point of the drawing into the middle. */
  centre(x: number, y: number): void {
    const { zoom } = this._view;
    const { width, height } = this._size();
    this.view = { x: width / 2 - x * zoom, y: height / 2 - y * zoom, zoom };
  }

  private _size(): Size {
    return { width: this._frame.clientWidth, height: this._frame.clientHeight };
  }

  private _zoomAt(factor: number, left: number, top: number): void {
    const { x, y, zoom } = this._view;
    const wanted = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom * factor));
    const scale = wanted / zoom;
    this.view = { x: left - (left - x) * scale, y: top - (top - y) * scale, zoom: wanted };
  }

  private _onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      const { left, top } = this._frame.getBoundingClientRect();
      this._zoomAt(Math.exp(-event.deltaY / 200), event.clientX - left, event.clientY - top);
    } else {
      const { x, y, zoom } = this._view;
      const [right, down] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      this.view = { x: x - right, y: y - down, zoom };
    }
  };

  private _onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) {
      return;
    }
    const start = { x: event.clientX, y: event.clientY };
    const { x, y, zoom } = this._view;
    let isDrag = false;
    const move = (event: PointerEvent): void => {
      const [right, down] = [event.clientX - start.x, event.clientY - start.y];
      isDrag ||= Math.hypot(right, down) > DRAG;
      if (isDrag) {
        this._frame.setPointerCapture(event.pointerId);
        this.view = { x: x + right, y: y + down, zoom };
      }
    };
    const end = (): void => {
      this._frame.removeEventListener('pointermove', move);
      this._frame.removeEventListener('pointerup', end);
      this._frame.removeEventListener('pointercancel', end);
      this._endDrag = null;
      if (isDrag) {
        // The click that follows a drag is none.
        const swallow = (event: Event): void => event.stopPropagation();
        this._frame.addEventListener('click', swallow, { capture: true, once: true });
        setTimeout(() => this._frame.removeEventListener('click', swallow, { capture: true }));
      }
    };
    this._endDrag = end;
    this._frame.addEventListener('pointermove', move);
    this._frame.addEventListener('pointerup', end);
    this._frame.addEventListener('pointercancel', end);
  };

  private _view: View = { x: 0, y: 0, zoom: 1 };
  private _zoom = 1;
  private _endDrag: (() => void) | null = null;
}

/** Where a drawing must start so that the stretch from `start` is seen in a frame. */
function moved(offset: number, start: number, length: number, frame: number): number {
  const first = MARGIN - start;
  const last = frame - MARGIN - start - length;
  return last < first ? first : Math.min(Math.max(offset, first), last);
}
