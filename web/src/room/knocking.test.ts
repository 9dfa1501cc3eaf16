// When a closed door is worth another knock.
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Refusal } from '../lib/refusal.ts';
import { mostTries, pauseBefore, worthAnotherTry } from './knocking.ts';

test('what passes is tried again, a bounded number of times', () => {
  for (const reason of ['ROOM_FULL', 'NO_RELAY', 'RELAY_FULL', 'RELAY_BUSY', 'RELAY_DRAINING', 'PART_UNAVAILABLE', 'RATE_LIMITED']) {
    expect(worthAnotherTry(new Refusal(503, reason), 0), reason).toBe(true);
    expect(worthAnotherTry(new Refusal(503, reason), mostTries), reason).toBe(false);
  }
  expect(worthAnotherTry(new ConnectError('away', Code.Unavailable), 0)).toBe(true);
  expect(worthAnotherTry(new TypeError('failed to fetch'), 0)).toBe(true);
});

test('what does not pass by itself is left to the person', () => {
  for (const reason of ['REMOVED', 'BLOCKED', 'ROOM_ENDED', 'ROOM_CLOSED', 'SCOPE_MISSING']) {
    expect(worthAnotherTry(new Refusal(403, reason), 0), reason).toBe(false);
  }
});

test('the waits grow up to a bound and spread', () => {
  expect(pauseBefore(0, 0)).toBe(1_000);
  expect(pauseBefore(0, 1)).toBe(2_000);
  expect(pauseBefore(2, 1)).toBe(8_000);
  expect(pauseBefore(mostTries, 1)).toBe(30_000);
  expect(pauseBefore(mostTries, 0)).toBe(15_000);
});
