import { describe, expect, it } from 'vitest';

import { groupSteps, headingsOf, textAbove } from '../../labextension/src/groups';
import type { NotebookContent, Step } from '../../labextension/src/tokens';

/** Cells as lines: markdown as it is, code cells as `> name`. */
function notebook(...lines: string[]): { content: NotebookContent; steps: Step[] } {
  const cells = lines.map(line => ({
    cell_type: line.startsWith('> ') ? 'code' : 'markdown',
    source: line.startsWith('> ') ? 'x' : line
  }));
  const steps = lines.flatMap((line, index) =>
    line.startsWith('> ') ? [{ name: line.slice(2), cells: [index] } as unknown as Step] : []
  );
  return { content: { nbformat: 4, nbformat_minor: 5, metadata: {}, cells }, steps };
}

describe('headings', () => {
  it('are read without markup, and not from code', () => {
    expect(headingsOf('# The *first* `x`\n```\n# no\n```\n### [b](c) #\ntext\n#no')).toEqual([
      { level: 1, text: 'The first x' },
      { level: 3, text: 'b' }
    ]);
  });
});

describe('groups', () => {
  it('are made by the highest headings that divide the steps', () => {
    const { content, steps } = notebook(
      ...['# All', '## Data', '> load', '### Clean', '> clean', '## Model', '> train', '> test']
    );
    expect(groupSteps(content, steps)).toEqual([
      { id: 'Data 1', title: 'Data', steps: ['load', 'clean'] },
      { id: 'Model 1', title: 'Model', steps: ['train', 'test'] }
    ]);
  });

  it('of the same name are two, and a step alone is no group', () => {
    const { content, steps } = notebook(
      ...['# A', '> a', '> b', '# B', '> c', '# A', '> d', '> e']
    );
    expect(groupSteps(content, steps).map(({ id, steps }) => [id, steps])).toEqual([
      ['A 1', ['a', 'b']],
      ['A 2', ['d', 'e']]
    ]);
  });

  it('are none where headings divide nothing, or every step has its own', () => {
    for (const lines of [['# A', '> a', '> b'], ['# A', '> a', '# B', '> b'], ['> a']]) {
      const { content, steps } = notebook(...lines);
      expect(groupSteps(content, steps)).toEqual([]);
    }
  });
});

describe('the text above a step', () => {
  it('is the markdown right above its first cell', () => {
    const { content, steps } = notebook('# A', 'one', '> a', '> b');
    expect(steps.map(step => textAbove(content, step))).toEqual(['# A\n\none', '']);
  });
});
