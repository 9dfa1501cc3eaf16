// Where a live stream is played: close to its end, whatever the network does.
import { expect, test } from 'vitest';
import { forgettable, LiveEdge } from './live-edge.ts';

const stretch = (start: number, end: number): { start: number; end: number }[] => [{ start, end }];

test('it begins with two pieces, so that it does not run dry before the next', () => {
  const edge = new LiveEdge();
  expect([edge.mayBegin([]), edge.mayBegin(stretch(5, 5.4)), edge.mayBegin(stretch(5, 5.8))]).toEqual([false, false, true]);
});

test('who is a little late is played a little faster until that is made good', () => {
  const edge = new LiveEdge();
  expect(edge.follow(stretch(0, 10), 9.1, 0)).toEqual({ jump: null, rate: 1 });
  expect(edge.follow(stretch(0, 10), 8.8, 0).rate).toBeGreaterThan(1);
  expect(edge.follow(stretch(0, 10), 9.05, 0).rate).toBeGreaterThan(1);
  expect(edge.follow(stretch(0, 10), 9.15, 0).rate).toBe(1);
});

test('after a pause it goes on with what is said now, never two seconds behind', () => {
  expect(new LiveEdge().follow(stretch(0, 60), 20, 0).jump).toBeCloseTo(59.1);
});

test('a hole where pieces were left out is jumped', () => {
  expect(new LiveEdge().follow([{ start: 0, end: 4 }, { start: 6, end: 6.4 }], 3.9, 0).jump).toBe(6);
});

test('a network that stutters gets a larger reserve, within a bound, and a smaller one again once it is steady', () => {
  const edge = new LiveEdge();
  for (let time = 0; time < 20; time++) edge.stalled(0);
  expect(edge.wanted).toBeCloseTo(1.4);
  for (let now = 31_000; now < 400_000; now += 31_000) edge.follow(stretch(0, 10), 9, now);
  expect(edge.wanted).toBeCloseTo(0.9);
});

test('what was heard long ago is forgotten', () => {
  expect([forgettable(stretch(0, 8), 7), forgettable(stretch(0, 20), 19), forgettable([], 0)]).toEqual([0, 14, 0]);
});
