/** All of a drawing in a corner, with a frame around the part that is seen. */
import * as React from 'react';

import type { StepState } from '../../state';
import type { Layout, Size, View } from './layout';

const MAX_WIDTH = 110;
const MAX_HEIGHT = 90;
const MOST_OF_FRAME = 0.22;

interface MinimapProps {
  layout: Layout;
  frame: Size;
  states: ReadonlyMap<string, StepState>;
  /** A point of the drawing was chosen. */
  onMove(x: number, y: number): void;
}

type Corner = 'bottom-right' | 'bottom-left' | 'top-right' | 'top-left';

const CORNERS: Corner[] = ['bottom-right', 'bottom-left', 'top-right', 'top-left'];

/** The corner of the frame where the map covers the fewest steps, as they are seen at first. */
function freestCorner({ steps, view }: Layout, frame: Size, map: Size): Corner {
  const covered = (corner: Corner): number => {
    const left = corner.endsWith('right') ? frame.width - map.width : 0;
    const top = corner.startsWith('bottom') ? frame.height - map.height : 0;
    return [...steps.values()].filter(step => {
      const [x, y] = [view.x + step.x * view.zoom, view.y + step.y * view.zoom];
      return (
        x < left + map.width &&
        x + step.width * view.zoom > left &&
        y < top + map.height &&
        y + step.height * view.zoom > top
      );
    }).length;
  };
  return CORNERS.reduce((best, corner) => (covered(corner) < covered(best) ? corner : best));
}

/**
 * Shown only while there is more than the frame can hold. The frame in it is moved by `show`, without
 * drawing anything anew.
 */
export class Minimap extends React.Component<MinimapProps> {
  show({ x, y, zoom }: View): void {
    this._view = { x, y, zoom };
    const { frame, layout } = this.props;
    const isAllSeen =
      x >= -1 &&
      y >= -1 &&
      x + layout.width * zoom <= frame.width + 1 &&
      y + layout.height * zoom <= frame.height + 1;
    this._svg.current?.classList.toggle('jp-mod-hidden', isAllSeen);
    const seen = this._seen.current;
    if (seen) {
      seen.setAttribute('x', String(-x / zoom));
      seen.setAttribute('y', String(-y / zoom));
      seen.setAttribute('width', String(frame.width / zoom));
      seen.setAttribute('height', String(frame.height / zoom));
    }
  }

  override componentDidUpdate(): void {
    if (this._view) {
      this.show(this._view);
    }
  }

  override render(): React.ReactElement {
    const { layout, frame, states } = this.props;
    const { width, height } = layout;
    const scale = Math.min(
      Math.min(MAX_WIDTH, frame.width * MOST_OF_FRAME) / width,
      MAX_HEIGHT / height
    );
    return (
      <svg
        ref={this._svg}
        className="jp-Pipelines-minimap jp-mod-hidden"
        width={width * scale}
        height={height * scale}
        viewBox={`0 0 ${width} ${height}`}
        data-corner={freestCorner(layout, frame, { width: width * scale, height: height * scale })}
        aria-hidden="true"
        onPointerDown={this._onPointer}
        onPointerMove={this._onPointer}
        onClick={event => event.stopPropagation()}
      >
        {[...layout.groups].map(([id, place]) => (
          <rect key={id} className="jp-Pipelines-minimapGroup" {...place} />
        ))}
        {[...layout.steps].map(([name, { x, y, width, height }]) => (
          <rect key={name} data-state={states.get(name)} {...{ x, y, width, height }} />
        ))}
        <rect ref={this._seen} className="jp-Pipelines-minimapSeen" />
      </svg>
    );
  }

  private _onPointer = (event: React.PointerEvent<SVGSVGElement>): void => {
    // The drawing below is not dragged.
    event.stopPropagation();
    if (event.buttons === 1) {
      const box = event.currentTarget.getBoundingClientRect();
      const { width, height } = this.props.layout;
      this.props.onMove(
        ((event.clientX - box.left) / box.width) * width,
        ((event.clientY - box.top) / box.height) * height
      );
    }
  };

  private readonly _svg = React.createRef<SVGSVGElement>();
  private readonly _seen = React.createRef<SVGRectElement>();
  private _view: View | null = null;
}
