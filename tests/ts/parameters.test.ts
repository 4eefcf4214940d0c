import { describe, expect, it } from 'vitest';

import { parseOverrides, parseValue, writeValue } from '../../labextension/src/parameters';
import type { JSONValue, Parameter } from '../../labextension/src/tokens';

function parameter(type: Parameter['type'], value: JSONValue, source = ''): Parameter {
  return { name: 'p', type, default: value, source, comment: '' };
}

describe('a typed text', () => {
  it.each<[Parameter['type'], string, JSONValue]>([
    ['int', ' 12 ', 12],
    ['int', '-3', -3],
    ['float', '1e-3', 0.001],
    ['float', '2', 2],
    ['bool', 'True', true],
    ['bool', 'false', false],
    ['str', ' as it is ', ' as it is '],
    ['str', '12', '12'],
    ['list', '[1, "a"]', [1, 'a']],
    ['dict', '{"a": null}', { a: null }],
    ['none', 'null', null],
    ['none', 'text', 'text'],
    ['expression', '3', 3]
  ])('%s %j means %j', (type, text, value) => {
    expect(parseValue(text, type)).toEqual(value);
  });

  it.each<[Parameter['type'], string]>([
    ['int', '1.5'],
    ['int', ''],
    ['int', '99999999999999999999'],
    ['float', 'much'],
    ['float', ''],
    ['float', 'Infinity'],
    ['bool', '1'],
    ['list', '{"a": 1}'],
    ['dict', '[1]'],
    ['dict', 'null']
  ])('%s %j means nothing', (type, text) => {
    expect(parseValue(text, type)).toBeUndefined();
  });
});

it('a default that is written is read back as the same value', () => {
  const defaults: [Parameter['type'], JSONValue][] = [
    ['int', 3],
    ['float', 0.1],
    ['bool', true],
    ['str', 'a "quoted" text'],
    ['list', [1, [2]]],
    ['dict', { a: [] }],
    ['none', null]
  ];
  for (const [type, value] of defaults) {
    expect(parseValue(writeValue(parameter(type, value)), type)).toEqual(value);
  }
});

it('tells the good overrides from the wrong ones, and forgets those of no parameter', () => {
  const parameters = [
    { ...parameter('int', 1), name: 'rows' },
    { ...parameter('float', 1), name: 'rate' },
    { ...parameter('str', ''), name: 'name' }
  ];
  expect(parseOverrides({ rows: '2', rate: 'x', gone: '1' }, parameters)).toEqual({
    values: { rows: 2 },
    wrong: ['rate']
  });
});
