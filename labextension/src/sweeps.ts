/** The sets of parameters of a sweep: every combination, or some at random. */
import { parseValue } from './parameters';
import type { JSONValue, Parameter, Parameters } from './tokens';

/** What is typed for a parameter of a sweep, and what it means. */
export type Range =
  | { kind: 'values'; values: JSONValue[] }
  /** Numbers between two, all as likely, or their logarithms. */
  | { kind: 'between'; low: number; high: number; isLogarithmic: boolean };

const BETWEEN = /^(\S+)\s*(?:\.\.+|–)\s*(\S+?)(\s+log)?$/i;
const EVERY = /^(\S+)\s*(?:\.\.+|–)\s*(\S+)\s+(?:by|step)\s+(\S+)$/i;
/** A grid finer than this is a slip of the hand. */
const MOST_VALUES = 1000;

/**
 * Read `0.1, 0.2, 0.5`, `1..10 by 3`, `0.001..0.1 log`; null for what means nothing.
 *
 * Values are separated by commas; lists and objects are typed as one JSON list of values.
 */
export function readRange(text: string, parameter: Parameter): Range | null {
  const { type } = parameter;
  const trimmed = text.trim();
  if (type === 'int' || type === 'float') {
    const every = EVERY.exec(trimmed);
    if (every) {
      const [low, high, by] = every.slice(1).map(Number);
      const count = Math.floor((high - low) / by + 1e-9) + 1;
      if (!(by > 0) || !(count >= 1) || count > MOST_VALUES) {
        return null;
      }
      const values = Array.from({ length: count }, (_, at) => rounded(low + at * by));
      return areOf(type, values) ? { kind: 'values', values } : null;
    }
    const between = BETWEEN.exec(trimmed);
    if (between) {
      const [low, high] = between.slice(1, 3).map(Number);
      const isLogarithmic = between[3] !== undefined;
      const isGood = low < high && (!isLogarithmic || low > 0) && areOf(type, [low, high]);
      return isGood ? { kind: 'between', low, high, isLogarithmic } : null;
    }
  }
  const texts = type === 'list' || type === 'dict' ? jsonItems(trimmed) : trimmed.split(',');
  const values = texts
    .map(item => item.trim())
    .filter(item => item !== '')
    .map(item => parseValue(item, type));
  return values.length > 0 && values.every(value => value !== undefined)
    ? { kind: 'values', values: unique(values) }
    : null;
}

/** How many combinations there are; infinitely many where a range is continuous. */
export function countCombinations(ranges: ReadonlyMap<string, Range>): number {
  return [...ranges.values()].reduce(
    (count, range) => count * (range.kind === 'values' ? range.values.length : Infinity),
    1
  );
}

/** Every combination, in the order of the parameters; `fixed` are values that all of them have. */
export function grid(ranges: ReadonlyMap<string, Range>, fixed: Parameters = {}): Parameters[] {
  let sets: Parameters[] = [{ ...fixed }];
  for (const [name, range] of ranges) {
    const values = range.kind === 'values' ? range.values : [];
    sets = sets.flatMap(set => values.map(value => ({ ...set, [name]: value })));
  }
  return sets;
}

/** So many combinations at random, no two alike as far as there are as many. */
export function sample(
  ranges: ReadonlyMap<string, Range>,
  parameters: readonly Parameter[],
  count: number,
  fixed: Parameters = {},
  random: () => number = Math.random
): Parameters[] {
  if (countCombinations(ranges) <= count) {
    return grid(ranges, fixed);
  }
  const types = new Map(parameters.map(({ name, type }) => [name, type]));
  const sets = new Map<string, Parameters>();
  for (let tries = 0; sets.size < count && tries < 100 * count; tries++) {
    const set: Parameters = { ...fixed };
    for (const [name, range] of ranges) {
      set[name] = draw(range, types.get(name) === 'int', random());
    }
    sets.set(JSON.stringify(set), set);
  }
  return [...sets.values()];
}

function draw(range: Range, isInteger: boolean, at: number): JSONValue {
  if (range.kind === 'values') {
    return range.values[Math.min(range.values.length - 1, Math.floor(at * range.values.length))];
  }
  const { low, high, isLogarithmic } = range;
  if (isInteger && !isLogarithmic) {
    return Math.min(high, low + Math.floor(at * (high - low + 1)));
  }
  const value = isLogarithmic ? low * (high / low) ** at : low + at * (high - low);
  return isInteger ? Math.round(value) : Number(value.toPrecision(6));
}

function areOf(type: Parameter['type'], numbers: readonly number[]): boolean {
  return numbers.every(type === 'int' ? Number.isSafeInteger : Number.isFinite);
}

/** Without the last digits, in which sums of decimal fractions are wrong. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

function jsonItems(text: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.map(item => JSON.stringify(item)) : [];
  } catch {
    return [];
  }
}

function unique(values: JSONValue[]): JSONValue[] {
  return [...new Map(values.map(value => [JSON.stringify(value), value])).values()];
}
