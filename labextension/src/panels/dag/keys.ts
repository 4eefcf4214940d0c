/** Which step the arrow keys lead to. */
import type { Link } from './layered';
import type { Place } from './layout';

export type Arrow = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight';

/**
 * The box that an arrow key leads to: up and down along the links, else to the nearest box that lies
 * that way; null at the edge of the drawing.
 */
export function nextBox(
  current: string,
  arrow: Arrow,
  places: ReadonlyMap<string, Place>,
  links: readonly Link[]
): string | null {
  const here = places.get(current);
  if (!here) {
    return null;
  }
  const linked = links.flatMap(({ source, target }) =>
    arrow === 'ArrowDown' && source === current
      ? [target]
      : arrow === 'ArrowUp' && target === current
        ? [source]
        : []
  );
  return (
    nearest(
      here,
      linked.filter(name => places.has(name)),
      places
    ) ??
    nearest(
      here,
      [...places.keys()].filter(name => name !== current && liesThere(places.get(name)!)),
      places
    )
  );

  function liesThere(place: Place): boolean {
    switch (arrow) {
      case 'ArrowUp':
        return middle(place).y < here!.y;
      case 'ArrowDown':
        return middle(place).y > here!.y + here!.height;
      case 'ArrowLeft':
        return middle(place).x < here!.x && isLevel(place);
      case 'ArrowRight':
        return middle(place).x > here!.x + here!.width && isLevel(place);
    }
  }

  function isLevel(place: Place): boolean {
    return Math.abs(middle(place).y - middle(here!).y) < here!.height;
  }
}

function nearest(
  here: Place,
  names: readonly string[],
  places: ReadonlyMap<string, Place>
): string | null {
  const distance = (name: string): number => {
    const [one, other] = [middle(here), middle(places.get(name)!)];
    return Math.hypot(one.x - other.x, one.y - other.y);
  };
  return names.reduce<string | null>(
    (best, name) => (best === null || distance(name) < distance(best) ? name : best),
    null
  );
}

function middle({ x, y, width, height }: Place): { x: number; y: number } {
  return { x: x + width / 2, y: y + height / 2 };
}
