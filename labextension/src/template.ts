/** A notebook to begin with: six stages, each a step, which run as they are. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { NotebookContent } from './tokens';

/** The notebook; its code needs numpy and pandas. */
export function templateNotebook(trans: TranslationBundle): NotebookContent {
  const cells = [
    markdown(
      `# ${trans.__('A pipeline in one notebook')}`,
      trans.__(
        'Each tagged cell is a step. The panel shows the steps, what a run would do and why, and keeps the results. Replace the code of the steps by your own.'
      )
    ),
    code(
      ['parameters'],
      `rows = 500  # ${trans.__('how many houses are made up')} (10 to 100000)`,
      `test_share = 0.25  # ${trans.__('share of the rows that is kept for the test')} (0 to 1)`,
      `seed = 7  # ${trans.__('makes the run repeatable')}`
    ),
    code([], 'import numpy as np', 'import pandas as pd'),
    markdown(`## ${trans.__('Collect')}`, trans.__('Get the data from where they are.')),
    code(
      ['step:collect', 'role:importer'],
      'random = np.random.default_rng(seed)',
      "houses = pd.DataFrame({'area': random.normal(110, 30, rows), 'rooms': random.integers(1, 7, rows)})",
      "houses['price'] = 2.1 * houses['area'] + 14 * houses['rooms'] + random.normal(0, 20, rows)",
      'houses.head()'
    ),
    markdown(
      `## ${trans.__('Validate')}`,
      trans.__('Stop here rather than with a wrong model: say what must hold.')
    ),
    code(
      ['step:validate', 'role:validator'],
      "assert len(houses) > 0, 'there are no houses'",
      "assert houses['rooms'].between(1, 10).all(), 'rooms are out of range'",
      "houses.isna().sum().to_frame('missing')"
    ),
    markdown(`## ${trans.__('Preprocess')}`, trans.__('Clean the data and set some aside.')),
    code(
      ['step:preprocess', 'role:transformer', 'after:validate'],
      "usable = houses[houses['area'] > 20]",
      'shuffled = usable.sample(frac=1, random_state=seed)',
      'count = int(len(shuffled) * test_share)',
      'test, train = shuffled[:count], shuffled[count:]',
      "print(len(train), 'houses to learn from,', len(test), 'to test with')"
    ),
    markdown(`## ${trans.__('Train')}`, trans.__('Fit a model: here, least squares.')),
    code(
      ['step:train', 'role:trainer'],
      'def features(table):',
      "    return np.column_stack([table['area'], table['rooms'], np.ones(len(table))])",
      '',
      "weights, *_ = np.linalg.lstsq(features(train), train['price'], rcond=None)",
      'weights'
    ),
    markdown(
      `## ${trans.__('Evaluate')}`,
      trans.__('The numbers that this step leaves are metrics: compare them between runs.')
    ),
    code(
      ['step:evaluate', 'role:evaluator'],
      "errors = features(test) @ weights - test['price']",
      'rmse = float(np.sqrt((errors**2).mean()))',
      'print(rmse)'
    ),
    markdown(`## ${trans.__('Deploy')}`, trans.__('Hand the model on.')),
    code(
      ['step:deploy', 'role:deployer'],
      "names = ['area', 'rooms', 'constant']",
      'release = {name: round(float(weight), 4) for name, weight in zip(names, weights)}',
      "release | {'rmse': rmse}"
    )
  ];
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { display_name: 'Python 3 (ipykernel)', language: 'python', name: 'python3' },
      language_info: { name: 'python' }
    },
    cells: cells.map((cell, at) => ({ id: `cell-${at + 1}`, ...cell }))
  };
}

function markdown(...paragraphs: string[]): { [key: string]: unknown } {
  return { cell_type: 'markdown', metadata: {}, source: paragraphs.join('\n\n') };
}

function code(tags: string[], ...lines: string[]): { [key: string]: unknown } {
  return {
    cell_type: 'code',
    metadata: tags.length > 0 ? { tags } : {},
    source: lines.join('\n'),
    outputs: [],
    execution_count: null
  };
}
