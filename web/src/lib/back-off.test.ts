// What is tried again waits longer each time, spreads, and hurries when it may.
import { expect, test } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { BackOff, paces, waitBefore } from './back-off.ts';

test('a stream’s first retry comes within two seconds, later ones spread wider, none beyond twenty', () => {
  expect(waitBefore(paces.stream, 0, 0)).toBe(0);
  expect(waitBefore(paces.stream, 0, 1)).toBe(2_000);
  expect(waitBefore(paces.stream, 2, 1)).toBe(8_000);
  expect(waitBefore(paces.stream, 30, 1)).toBe(20_000);
});

test('what the server asks for comes on top, for the first wait by chance, so that all do not come at once', () => {
  expect(waitBefore(paces.stream, 0, 0.5, 10_000)).toBe(6_000);
  expect(waitBefore(paces.stream, 1, 0.5, 10_000)).toBe(12_000);
});

test('a closed door is never knocked at again at once', () => {
  expect([0, 1].map((random) => waitBefore(paces.door, 0, random))).toEqual([1_000, 2_000]);
  expect(waitBefore(paces.door, 2, 1)).toBe(8_000);
  expect([0, 1].map((random) => waitBefore(paces.door, 24, random))).toEqual([15_000, 30_000]);
});

test('a session that failed is asked for quickly some times before the waits grow', () => {
  expect([0, 1, 2, 3, 4, 5].map((tries) => waitBefore(paces.sound, tries, 1))).toEqual([2_300, 2_300, 2_300, 2_300, 4_300, 8_300]);
  expect(waitBefore(paces.sound, 0, 0)).toBe(300);
});

test('it calls back after the wait, once; a new wait takes the one before back', async () => {
  const clock = new FakeClock();
  const waits = new BackOff(paces.door, clock, () => 1);
  const came: string[] = [];
  waits.again(() => came.push('first'));
  waits.again(() => came.push('second'));
  await clock.pass(3_999);
  expect(came).toEqual([]);
  await clock.pass(1);
  expect([came, waits.tries]).toEqual([['second'], 2]);
  await clock.pass(60_000);
  expect(came).toEqual(['second']);
});

test('what waits can be hurried, stopped, and begun anew', async () => {
  const clock = new FakeClock();
  const waits = new BackOff(paces.door, clock, () => 1);
  const came: number[] = [];
  waits.again(() => came.push(clock.now()));
  waits.hurry();
  waits.hurry();
  expect(came).toEqual([0]);
  waits.again(() => came.push(clock.now()));
  waits.stop();
  waits.hurry();
  await clock.pass(60_000);
  expect(came).toEqual([0]);
  waits.reset();
  waits.again(() => came.push(clock.now()));
  await clock.pass(2_000);
  expect(came).toEqual([0, 62_000]);
});
