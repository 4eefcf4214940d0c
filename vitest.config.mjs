import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/ts/**/*.test.{ts,tsx}'],
    environment: 'jsdom',
    setupFiles: ['tests/ts/setup.ts'],
    css: false,
    // Cells of a notebook model are made before they are in its document; Yjs warns of each.
    onConsoleLog: log => !/Add Yjs type|Not same Y.Doc/.test(log),
    // These ship ES modules without file endings, some import CSS or SVG: Vite must process them.
    server: {
      deps: {
        inline: [/@jupyterlab\//, /@jupyter\//, /@lumino\//, /@rjsf\//, /@microsoft\/fast/]
      }
    }
  }
});
