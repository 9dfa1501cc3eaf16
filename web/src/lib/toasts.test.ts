// A message with an undo goes with its cause: what was accepted or taken back cannot be undone.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { plainWords } from '../testing/room.ts';
import { Refusal } from './refusal.ts';
import { Toasts } from './toasts.svelte.ts';

let clock: FakeClock;
let toasts: Toasts;
const shown = (): string[] => toasts.list.map((toast) => toast.text);

beforeEach(() => {
  clock = new FakeClock();
  toasts = new Toasts(plainWords, clock);
});

test('a message goes with its cause, which may be told later than the call that made the message is answered', () => {
  let invited = false;
  toasts.say('moderate.offered', {}, () => undefined, () => invited);
  toasts.settle();
  expect(shown()).toEqual(['moderate.offered']);
  invited = true;
  toasts.settle();
  expect(shown()).toEqual(['moderate.offered']);
  invited = false;
  toasts.settle();
  expect(shown()).toEqual([]);
});

test('a message without a lasting cause stays its time', async () => {
  toasts.say('report.sent');
  toasts.settle();
  await clock.pass(5_900);
  expect(shown()).toEqual(['report.sent']);
  await clock.pass(200);
  expect(shown()).toEqual([]);
});

test('what was refused is shown where it happened, and gives no answer', async () => {
  const { attempt } = toasts;
  expect(await attempt(async () => 'yes')).toBe('yes');
  expect(await attempt(() => Promise.reject(new Refusal(403, 'BLOCKED')))).toBeUndefined();
  expect(toasts.list.map(({ text, tone }) => [text, tone])).toEqual([['refused.BLOCKED', 'alarm']]);
});
