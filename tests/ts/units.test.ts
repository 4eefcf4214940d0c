import { expect, it } from 'vitest';

import {
  formatDuration,
  formatSize,
  formatValue,
  formatWholeSeconds
} from '../../labextension/src/units';

it.each([
  [0, '< 0.1 s'],
  [1.24, '1.2 s'],
  [9.96, '10 s'],
  [59.4, '59 s'],
  [59.6, '1 min'],
  [125, '2 min 5 s'],
  [3600, '1 h'],
  [3780, '1 h 3 min']
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it.each([
  [0, '0 s'],
  [1.4, '1 s'],
  [9.6, '10 s'],
  [125.2, '2 min 5 s']
])('%d seconds that go on are %s', (seconds, text) => {
  expect(formatWholeSeconds(seconds)).toBe(text);
});

it.each([
  ['12.658579999999999', '12.65858'],
  ['0.001001001001001001', '0.001001001'],
  ['-3.25', '-3.25'],
  ['2013', '2013'],
  ['12345678901234567890', '12345678901234567890'],
  ['1,000 × 3', '1,000 × 3']
])('the value %s reads %s', (text, short) => {
  expect(formatValue(text)).toBe(short);
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [12345, '12 kB'],
  [999600, '1.0 MB'],
  [5e12, '5.0 TB'],
  [5e15, '5000 TB']
])('%d bytes are %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});
