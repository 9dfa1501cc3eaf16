// The code of a trial is the one that `majlis reach --explain` reads.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { codeOf, nothingYet, skewOf, verdictOf, type Reached } from './code.ts';

interface Case {
  code: string;
  verdict: string;
  page: Partial<Reached>;
}

const cases = JSON.parse(readFileSync(new URL('../../../tests/support/cases/reach_codes.json', import.meta.url), 'utf8')) as { codes: Case[] };

test.each(cases.codes)('$code says what a page found', ({ code, verdict, page }) => {
  const reached: Reached = { ...nothingYet, ...page };
  expect(codeOf(reached)).toBe(code);
  expect(verdictOf(reached)).toBe(verdict);
});

test('a clock is right within five seconds, and far off beyond five minutes', () => {
  expect([0, -5_000, 6_000, 301_000, -6_000, -301_000].map(skewOf)).toEqual(['right', 'right', 'ahead', 'far_ahead', 'behind', 'far_behind']);
});
