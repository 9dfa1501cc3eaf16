// What the page does about a refusal is what the contracts say of its reason.
import { expect, test } from 'vitest';
import { Ending, Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import { endingOf, endsSeat, makesRoom, passesByItself, remedyOf } from './reasons.ts';

test('a full room and a relay that is emptied pass by themselves, and only for want of room', () => {
  for (const reason of ['ROOM_FULL', 'RELAY_DRAINING', 'NO_RELAY']) expect([passesByItself(reason), makesRoom(reason)], reason).toEqual([true, true]);
  for (const reason of ['TOO_SLOW', 'RATE_LIMITED', 'STORAGE_UNAVAILABLE']) expect([passesByItself(reason), makesRoom(reason)], reason).toEqual([true, false]);
  expect(passesByItself('HANDS_OFF')).toBe(false);
});

test('who was removed has no seat to come back to, and who only lost it has', () => {
  expect([endsSeat('REMOVED'), endsSeat('ROOM_CLOSED'), endsSeat('NOT_IN_ROOM'), endsSeat('SESSION_ENDED')]).toEqual([true, true, false, false]);
  expect([remedyOf('NOT_IN_ROOM'), remedyOf('SEAT_ENDED')]).toEqual([Remedy.NEW_SEAT, Remedy.NEW_SEAT]);
  expect(endingOf('ACCOUNT_SUSPENDED')).toBe(Ending.SIGN_IN);
});

test('of a reason from a newer server nothing is assumed', () => {
  expect([remedyOf('SOMETHING_NEW'), endingOf('SOMETHING_NEW'), passesByItself('')]).toEqual([Remedy.UNSPECIFIED, Ending.UNSPECIFIED, false]);
});
