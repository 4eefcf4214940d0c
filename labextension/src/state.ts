/** What is known of a step at this moment, in one word; and the words for people. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { PipelineModel } from './model';
import type { Decision, RunStatus, Step, StepStatus } from './tokens';

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
