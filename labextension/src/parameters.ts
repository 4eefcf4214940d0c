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

/** A value as the user would type it. */
export function writeValue(parameter: Parameter): string {
  if (parameter.type === 'expression') {
    return parameter.source;
  }
  return parameter.type === 'str' && typeof parameter.default === 'string'
    ? parameter.default
    : JSON.stringify(parameter.default);
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
