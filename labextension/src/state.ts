/** What is known of a step at this moment, in one word; and the words for people. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { PipelineModel } from './model';
import type { Decision, Edge, RunStatus, Step, StepStatus, Unit } from './tokens';

/** What happened to the step, or, where nothing did, what a run would do. */
export type StepState = StepStatus | Decision;

/** The state of a step in what the model shows: a run of the past, the run under way, or the plan. */
export function stepState(model: PipelineModel, step: Step): StepState {
  const stepRun = model.stepRun(step.name);
  if (stepRun) {
    return stepRun.status;
  }
  if (model.selectedRun) {
    // The notebook has got this step since.
    return 'skipped';
  }
  return plannedState(step);
}

/** As long as a step is up to date, its last run counts; a failure counts until the step has run again. */
function plannedState({ decision, last }: Step): StepState {
  const lastStatus = last?.status ?? null;
  const isDone = lastStatus === 'succeeded' || lastStatus === 'reused';
  if (decision === 'reuse') {
    return isDone ? lastStatus : 'reuse';
  }
  return lastStatus === 'failed' ? 'failed' : decision;
}

export function stateWord(trans: TranslationBundle, state: StepState | RunStatus): string {
  switch (state) {
    case 'queued':
      return trans.__('queued');
    case 'running':
      return trans.__('running');
    case 'succeeded':
      return trans.__('succeeded');
    case 'reused':
      return trans.__('reused');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
    case 'skipped':
      return trans.__('skipped');
    case 'interrupted':
      return trans.__('interrupted');
    case 'reuse':
      return trans.__('to reuse');
    case 'run':
      return trans.__('to run');
    case 'undecided':
      return trans.__('undecided');
  }
}

export function roleWord(trans: TranslationBundle, role: string): string {
  switch (role) {
    case 'importer':
      return trans.__('Importer');
    case 'validator':
      return trans.__('Validator');
    case 'transformer':
      return trans.__('Transformer');
    case 'trainer':
      return trans.__('Trainer');
    case 'evaluator':
      return trans.__('Evaluator');
    case 'deployer':
      return trans.__('Deployer');
    case 'monitor':
      return trans.__('Monitor');
    default:
      return role;
  }
}

/** Why a step has no kernel of its own. */
export function unitSentence(trans: TranslationBundle, unit: Unit, step: string): string {
  const others = unit.steps.filter(name => name !== step);
  return trans.__(
    'Runs in one kernel with %1: %2 cannot be stored',
    quoted(others),
    quoted(unit.names)
  );
}

/** What an edge stands for above all; `reads` is the plain one. */
export type EdgeKind = 'reads' | 'kernel' | 'learned' | 'explicit';

export function edgeKind({ kernel, learned, explicit }: Edge): EdgeKind {
  return kernel ? 'kernel' : learned ? 'learned' : explicit ? 'explicit' : 'reads';
}

/** The same in one sentence; `unit` is that of its steps. */
export function edgeSentence(trans: TranslationBundle, edge: Edge, unit: Unit | null): string {
  const { source, target } = edge;
  const names = quoted([...edge.names, ...edge.state]);
  if (edge.kernel) {
    return trans.__(
      '`%1` goes on in the kernel of `%2`: %3 cannot be stored',
      target,
      source,
      quoted(unit?.names ?? edge.names)
    );
  }
  if (edge.explicit || !names) {
    return edge.learned
      ? trans.__(
          '`%1` waits for `%2`: learned, seen while the steps ran, not in their code',
          target,
          source
        )
      : trans.__('`%1` waits for `%2`', target, source);
  }
  return edge.learned
    ? trans.__(
        '`%1` reads %2 from `%3`: learned, seen while the steps ran, not in their code',
        target,
        names,
        source
      )
    : trans.__('`%1` reads %2 from `%3`', target, names, source);
}

function quoted(names: readonly string[]): string {
  return names.map(name => `\`${name}\``).join(', ');
}
