import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/ts/**/*.test.{ts,tsx}'],
    environment: 'jsdom',
    setupFiles: ['tests/ts/setup.ts'],
    css: false,
    // These ship ES modules without file endings, some import CSS or SVG: Vite must process them.
    server: {
      deps: {
        inline: [
          /@jupyterlab\//,
          /@jupyter\//,
          /@lumino\//,
          /@xyflow\//,
          /@rjsf\//,
          /@microsoft\/fast/
        ]
      }
    }
  }
});
