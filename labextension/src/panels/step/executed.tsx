/** What is known from a step's executed notebook: what its cells showed, and what has changed in them. */
import type { IOutput } from '@jupyterlab/nbformat';
import * as React from 'react';

import { useFetched } from '../../components/fetched';
import { useNotebook, useTrans } from '../../components/context';
import { DiffView } from '../../components/diff';
import { RenderedOutputs } from '../../components/rendered';
import { sourceOf } from '../../groups';
import { withWholeText } from '../../results';
import { withoutStepMagic } from '../../tags';
import { NAMESPACE, type Step, type StepRun } from '../../tokens';

/** Statuses of steps of which there is an executed notebook. */
const EXECUTED: readonly string[] = ['succeeded', 'reused', 'failed'];

/** What is shown of a printed text, in characters. */
const LONGEST_TEXT = 20_000;

/** Whether there is a notebook that was executed for the step. */
export function wasExecuted({ status }: StepRun): boolean {
  return EXECUTED.includes(status);
}

export function Executed(props: {
  step: Step;
  stepRun: StepRun;
  runId: string;
}): React.ReactElement | null {
  const { step, stepRun, runId } = props;
  const trans = useTrans();
  const { model, panel } = useNotebook();
  const isThere = wasExecuted(stepRun);
  const { value } = useFetched(isThere ? `${runId} ${step.name} ${stepRun.status}` : '', () =>
    model.client.stepNotebook(model.path, runId, step.name, LONGEST_TEXT)
  );
  if (!value) {
    return null;
  }
  const cells = value.cells.filter(cell => stepOf(cell) === step.name);
  const before = cells.map(sourceOf).join('\n\n');
  const content = model.content();
  const after = step.cells
    .map(index => withoutStepMagic(sourceOf(content.cells[index] ?? {})))
    .join('\n\n');
  const outputs = cells
    .flatMap(cell => (cell.outputs as IOutput[] | undefined) ?? [])
    .map(withWholeText);
  const isTrusted = Array.from(panel.context.model.cells).every(cell => cell.trusted);
  const diff = <DiffView before={before} after={after} />;
  return (
    <>
      {before === after ? null : (
        <details className="jp-Pipelines-part">
          <summary>{trans.__('Code: changed since that run')}</summary>
          {diff}
        </details>
      )}
      {outputs.some(output => output.output_type !== 'error') ? (
        <details className="jp-Pipelines-part" open={outputs.length <= 3}>
          <summary>{trans.__('What it showed')}</summary>
          <RenderedOutputs
            outputs={outputs.filter(output => output.output_type !== 'error')}
            isTrusted={isTrusted}
          />
        </details>
      ) : null}
    </>
  );
}

/** The step that a cell of an executed notebook belongs to. */
function stepOf(cell: { [key: string]: unknown }): string | undefined {
  const metadata = cell.metadata as { [key: string]: { step?: string } } | undefined;
  return metadata?.[NAMESPACE]?.step;
}
