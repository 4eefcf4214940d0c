import { expect, it } from 'vitest';

import plugins from '../../labextension/src/index';

it('gives every plugin an id under the name of the extension', () => {
  for (const plugin of plugins) {
    expect(plugin.id).toMatch(/^pipelines-as-experiments:/);
  }
});
