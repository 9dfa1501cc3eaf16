// A wait in words that one can plan with.
import { expect, test } from 'vitest';
import { aboutHowLong } from './wait.ts';

const words = { t: (key: string) => key, unit: (value: number, unit: string) => `${value} ${unit}` };

test.each([
  [20, 'line.lessThanMinute'],
  [61, '2 minute'],
  [9 * 60, '9 minute'],
  [11 * 60, '15 minute'],
  [89 * 60, '90 minute'],
  [95 * 60, '2 hour'],
  [125 * 60, '3 hour'],
])('%i seconds are %s', (seconds, said) => {
  expect(aboutHowLong(seconds, words)).toBe(said);
});
