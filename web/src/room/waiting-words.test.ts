// A wait in words that one can plan with.
import { expect, test } from 'vitest';
import { waitingWords } from './waiting-words.ts';

test.each([
  [0, 'inLine.unknown', 0],
  [20_000, 'inLine.soon', 0],
  [61_000, 'inLine.minutes', 2],
  [9 * 60_000, 'inLine.minutes', 9],
  [11 * 60_000, 'inLine.minutes', 15],
  [90 * 60_000, 'inLine.minutes', 90],
  [95 * 60_000, 'inLine.hours', 2],
])('%i milliseconds are %s', (span, key, count) => {
  expect(waitingWords(span)).toEqual({ key, count });
});
