import { expect, test } from 'vitest';
import { Spending } from './spending.ts';

function spent(bytesASecond: number, seconds: number, spending = new Spending(), from = 0): Spending {
  for (let at = from; at <= from + seconds; at++) spending.take((at - from) * bytesASecond, at * 1000);
  return spending;
}

test('what comes in two minutes tells an hour, and the past before is forgotten', () => {
  expect(spent(2000, 60).hourly).toBeCloseTo(7.2);
  const changed = spent(5000, 300);
  for (let at = 301; at <= 430; at++) changed.take(300 * 5000 + (at - 300) * 1000, at * 1000);
  expect(changed.hourly).toBeCloseTo(3.6, 1);
});

test('nothing is told until it was measured for a while', () => {
  expect(new Spending().hourly).toBeNull();
  expect(spent(2000, 9).hourly).toBeNull();
  expect(spent(2000, 10).hourly).not.toBeNull();
});

test('another session counts from nothing, and what was spent stays spent', () => {
  const spending = spent(2000, 30);
  spent(2000, 30, spending, 31);
  expect(spending.hourly).toBeCloseTo(7.1, 0);
});

test('who changes to few bits sees what these cost, and not what was before', () => {
  const spending = spent(6000, 60);
  spending.begin();
  for (let at = 61; at <= 75; at++) spending.take(60 * 6000 + (at - 60) * 2000, at * 1000);
  expect(spending.hourly).toBeCloseTo(7.2, 1);
});
