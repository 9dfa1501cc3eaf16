// The primary action: each state, and what ends it.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { HandMode, HandSchema, Role, RoomSchema, RoomState, type Room } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { me, offer, seat, start, view } from './fixtures.ts';
import { primary } from './primary.ts';

const hand = create(HandSchema, { expiresAt: timestampFromMs(start + 48_000) });
const live = create(RoomSchema, { roomId: 'room00000001', state: RoomState.LIVE, handMode: HandMode.EVERYONE });
const room = (more: MessageInitShape<typeof RoomSchema>): Room => Object.assign({ ...live }, more);

test('a listener may raise a hand', () => {
  expect(primary(view(), me, start).state).toBe('raise');
});

test('a raised hand shows place and time left, and falls by itself', () => {
  const shown = view({ hand, handPosition: 3 });
  expect(primary(shown, me, start)).toMatchObject({ state: 'hand_up', position: 3, left: 48_000 });
  expect(primary(shown, me, start + 48_001).state).toBe('raise');
});

test('an invitation to speak comes before the raised hand, until it runs out', () => {
  const shown = view({ hand, offer: offer(me) }, { offers: [offer(me)] });
  expect(primary(shown, me, start)).toMatchObject({ state: 'invited', left: 30_000 });
  expect(primary(shown, me, start + 30_001).state).toBe('hand_up');
});

test('on stage one mutes and unmutes', () => {
  const shown = view({ role: Role.SPEAKER }, { stage: [seat(me, Role.SPEAKER, { muted: true })] });
  expect(primary(shown, me, start)).toMatchObject({ state: 'speaking', muted: true });
});

test('hands switched off and a closed stage say so', () => {
  expect(primary(view({}, { room: room({ handMode: HandMode.OFF }) }), me, start).state).toBe('hands_off');
  expect(primary(view({}, { room: room({ state: RoomState.CLOSING }) }), me, start).state).toBe('closed');
});

test('a hand that no moderator looks at stays up without a clock', () => {
  const waiting = create(HandSchema, { timeLeft: { seconds: 25n } });
  expect(primary(view({ hand: waiting, handPosition: 1 }), me, start + 900_000)).toMatchObject({ state: 'hand_up', left: null });
});
