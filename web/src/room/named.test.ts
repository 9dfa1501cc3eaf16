// Who is shown to speak where the sound does not say it.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { Named } from './named.ts';
import type { Rung } from './rungs.ts';

let clock: FakeClock;
let sound: { rung: Rung; behind: number };
let shown: (readonly number[])[];
let renewals: number;
let named: Named;

beforeEach(() => {
  clock = new FakeClock();
  sound = { rung: 'https', behind: 2 };
  shown = [];
  renewals = 0;
  named = new Named(sound, { name: (members) => void shown.push(members) }, clock);
  named.asks();
  named.follow(() => renewals++);
});

test('over HTTPS a speaker is shown when they are heard, not when the word of it comes', async () => {
  named.take([4]);
  await clock.pass(1_300);
  expect(shown).toEqual([]);
  await clock.pass(200);
  expect(shown).toEqual([[4]]);
});

test('where there is only text they are shown at once', async () => {
  sound.rung = 'text';
  named.take([4, 9]);
  await clock.pass(1);
  expect(shown).toEqual([[4, 9]]);
});

test('the server is asked anew when the way changes, and in a call only packets name speakers', async () => {
  sound.rung = 'text';
  await clock.pass(5_000);
  expect(renewals).toBe(0);
  named.take([4]);
  sound.rung = 'call';
  await clock.pass(2_000);
  expect([renewals, named.asks(), shown.at(-1)]).toEqual([1, false, []]);
  named.take([4]);
  await clock.pass(2_000);
  expect(shown.at(-1)).toEqual([]);
  sound.rung = 'https';
  await clock.pass(1_000);
  expect([renewals, named.asks()]).toEqual([2, true]);
});

test('a room that was left shows nobody any more, and asks for nothing', async () => {
  named.take([4]);
  named.close();
  sound.rung = 'call';
  await clock.pass(5_000);
  expect([shown, renewals]).toEqual([[[]], 0]);
});
