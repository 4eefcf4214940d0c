// What jsdom lacks and the imported packages touch when they are loaded.
class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

const missing = {
  ResizeObserver: Observer,
  IntersectionObserver: Observer,
  DragEvent: class DragEvent extends Event {},
  DOMMatrixReadOnly: class {
    m22 = 1;
  },
  matchMedia: (query: string) => ({
    matches: false,
    media: query,
    addListener() {},
    removeListener() {},
    addEventListener() {},
    removeEventListener() {}
  })
};

for (const [name, value] of Object.entries(missing)) {
  if ((globalThis as Record<string, unknown>)[name] === undefined) {
    Object.assign(globalThis, { [name]: value });
  }
}

HTMLCanvasElement.prototype.getContext = () => null;

export {};
