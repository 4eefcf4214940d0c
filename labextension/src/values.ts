/** What is known of the variables that steps leave and read. */
import type { Edge, Step, StepRun, Verdict } from './tokens';
import { formatNumber } from './units';

/** A variable that a step left, as it was when the step ended. */
export interface Value extends Verdict {
  /** A few words: `336,776 × 19`. */
  summary: string;
}

/** An input of a step; with one that is `learned`, the step's code does not show it. */
export interface Input {
  /** A variable, a file, or state of the process; empty where only the order counts. */
  name: string;
  /** Whose output it is. */
  step: string;
  learned: boolean;
}

/** What a step left, by name. */
export function valuesOf(stepRun: StepRun | null): Map<string, Value> {
  const summaries = new Map(stepRun?.outputs.map(output => [output.name, output.summary]));
  return new Map(
    stepRun?.verdicts.map(verdict => [
      verdict.name,
      { ...verdict, summary: summaries.get(verdict.name) ?? '' }
    ])
  );
}

/** The summary where there is little room: numbers with the digits that matter. */
export function shortSummary({ summary }: Value): string {
  return /^-?\d+\.\d{4,}(e[-+]?\d+)?$/.test(summary) ? formatNumber(Number(summary)) : summary;
}

/** All that a step reads of others: what its code shows, then what was seen while steps ran. */
export function inputsOf(step: Step, edges: readonly Edge[]): Input[] {
  const above = edges.filter(edge => edge.target === step.name);
  const isLearned = (source: string): boolean =>
    above.some(edge => edge.source === source && edge.learned);
  const variables = step.inputs.map(input => ({ ...input, learned: isLearned(input.step) }));
  const seen = above.flatMap(({ source, names, state, learned, kernel }) => {
    const isOrder = learned && !kernel && names.length + state.length === 0;
    return (isOrder ? [''] : state).map(name => ({ name, step: source, learned: true }));
  });
  return [...variables, ...seen];
}
