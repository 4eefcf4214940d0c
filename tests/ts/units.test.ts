import { expect, it } from 'vitest';

import { formatDuration, formatSize } from '../../labextension/src/units';

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
