/** What the user types in place of a parameter's default, and the value that it means. */
import type { JSONValue, Parameter, Parameters } from './tokens';

/** Text by name of the parameter; parameters that are not here keep their default. */
export type Overrides = Readonly<{ [name: string]: string }>;

/** The values that can be read, and the parameters whose text is none of their type. */
export interface ParsedOverrides {
  values: Parameters;
  wrong: string[];
}

const INTEGER = /^[+-]?\d+$/;

export function parseOverrides(overrides: Overrides, parameters: Parameter[]): ParsedOverrides {
  const parsed: ParsedOverrides = { values: {}, wrong: [] };
  for (const { name, type } of parameters) {
    const text = overrides[name];
    if (text === undefined) {
      continue;
    }
    const value = parseValue(text, type);
    if (value === undefined) {
      parsed.wrong.push(name);
    } else {
      parsed.values[name] = value;
    }
  }
  return parsed;
}

/** The value that `text` means for a parameter of this type; undefined when it is none. */
export function parseValue(text: string, type: Parameter['type']): JSONValue | undefined {
  const trimmed = text.trim();
  switch (type) {
    case 'str':
      return text;
    case 'bool':
      return /^(true|false)$/i.test(trimmed) ? trimmed.toLowerCase() === 'true' : undefined;
    case 'int':
      return INTEGER.test(trimmed) ? finite(trimmed, Number.isSafeInteger) : undefined;
    case 'float':
      return trimmed === '' ? undefined : finite(trimmed, Number.isFinite);
    case 'list': {
      const value = parseJSON(trimmed);
      return Array.isArray(value) ? value : undefined;
    }
    case 'dict': {
      const value = parseJSON(trimmed);
      return isObject(value) ? value : undefined;
    }
    default: {
      // The default says nothing about the type: JSON where it is JSON, else text.
      const value = parseJSON(trimmed);
      return value === undefined ? text : value;
    }
  }
}

/** What the comment beside a parameter says of its values. */
export interface Hints {
  choices: string[];
  minimum: number | null;
  maximum: number | null;
}

const NUMBER = '[+-]?\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?';
const RANGES = [
  new RegExp(`[[(]\\s*(${NUMBER})\\s*(?:,|;|\\.\\.+|to|–|-)\\s*(${NUMBER})\\s*[\\])]`),
  new RegExp(`\\bbetween\\s+(${NUMBER})\\s+and\\s+(${NUMBER})`, 'i'),
  new RegExp(`(?:^|\\s)(${NUMBER})\\s*(?:\\.\\.+|–)\\s*(${NUMBER})`)
];
const CHOICES = /\b(?:one of|choices|options)\s*:?\s*(.+)$/i;
const BARS = /^\s*(\S+(?:\s*\|\s*\S+)+)\s*$/;

/**
 * Read a comment such as `between 0 and 1`, `(1 to 10)`, `one of: forest, boost`, `forest | boost`.
 *
 * People write comments for people: what is read here helps to fill in the form, and is no law.
 */
export function readHints({ comment, type }: Pick<Parameter, 'comment' | 'type'>): Hints {
  const hints: Hints = { choices: [], minimum: null, maximum: null };
  if (type === 'int' || type === 'float') {
    const range = RANGES.map(pattern => pattern.exec(comment)).find(Boolean);
    const [low, high] = range ? [Number(range[1]), Number(range[2])] : [0, 0];
    if (low < high) {
      hints.minimum = low;
      hints.maximum = high;
    }
  }
  if (type === 'str' || type === 'int' || type === 'float') {
    const listed = CHOICES.exec(comment)?.[1] ?? BARS.exec(comment)?.[1];
    const choices = (listed ?? '')
      .split(/\s*(?:,|\||;|\bor\b|\band\b)\s*/)
      .map(choice =>
        choice
          .trim()
          .replace(/^(['"`])(.*)\1$/, '$2')
          .replace(/[).\]]+$/, '')
      )
      .filter(Boolean);
    // What is a sentence is no list of values.
    const areValues = choices.every(
      choice => !/\s/.test(choice) && parseValue(choice, type) !== undefined
    );
    hints.choices = choices.length > 1 && areValues ? choices : [];
  }
  return hints;
}

/** Whether a value goes against the hints. */
export function isOutside(value: JSONValue | undefined, { minimum, maximum }: Hints): boolean {
  return (
    typeof value === 'number' &&
    ((minimum !== null && value < minimum) || (maximum !== null && value > maximum))
  );
}

const SAMPLE = /^(use_)?(sample|sampling|quick|quick_run|smoke_test|fast_dev_run)(_mode)?$/i;

/** The parameter by which a notebook offers a quick run on less data. */
export function sampleParameter(parameters: readonly Parameter[]): Parameter | null {
  return (
    parameters.find(
      ({ name, type, default: value }) => type === 'bool' && value === false && SAMPLE.test(name)
    ) ?? null
  );
}

/** A value as the user would type it. */
export function writeText(value: JSONValue, type: Parameter['type']): string {
  return type === 'str' && typeof value === 'string' ? value : JSON.stringify(value);
}

/** The default of a parameter as the user would type it. */
export function writeValue(parameter: Parameter): string {
  if (parameter.type === 'expression') {
    return parameter.source;
  }
  return writeText(parameter.default, parameter.type);
}

function parseJSON(text: string): JSONValue | undefined {
  try {
    return JSON.parse(text) as JSONValue;
  } catch {
    return undefined;
  }
}

function finite(text: string, isGood: (value: number) => boolean): number | undefined {
  const value = Number(text);
  return isGood(value) ? value : undefined;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
