// Which events deserve a line, and whose name it carries.
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from 'vitest';
import { OfferCause, StageCause } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { HandCause, Role, RoomSchema, RoomState } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { FakeClock } from '../testing/clock.ts';
import { CaptionerSchema, type CaptionersChanged } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import { event, me, offer, person, seat, snapshot, view } from './fixtures.ts';
import { NoticeBoard } from './notice-board.svelte.ts';
import { announce, forModerators } from './notices.ts';
import { reduce, type RoomView } from './reducer.ts';

const lina = 'lina00000001';
const stage = [seat(lina, Role.MODERATOR), seat(me)];

function said(before: RoomView, fact: Parameters<typeof event>[1]): ReturnType<typeof announce> {
  const happened = event(8n, fact);
  return announce(before, reduce(before, happened, me), happened, me);
}

test('being muted names the moderator; muting oneself says nothing', () => {
  const before = view({ role: Role.SPEAKER }, { stage });
  const muted = seat(me, Role.SPEAKER, { muted: true, mutedByModerator: true });
  expect(said(before, { case: 'stageSeatChanged', value: { seat: muted, byUserId: lina } })).toMatchObject({ key: 'notice.mutedBy', name: 'lina' });
  expect(said(before, { case: 'stageSeatChanged', value: { seat: seat(me, Role.SPEAKER, { muted: true }), byUserId: me } })).toBeNull();
});

test('being muted is said too when a snapshot takes the place of the event', () => {
  const before = view({ role: Role.SPEAKER }, { stage });
  const muted = seat(me, Role.SPEAKER, { muted: true, mutedByModerator: true });
  expect(said(before, { case: 'snapshot', value: { ...snapshot({ stage: [muted], revision: 8n }) } })).toMatchObject({ key: 'notice.mutedBy', name: '' });
  expect(said(before, { case: 'snapshot', value: { ...snapshot({ stage, revision: 8n }) } })).toBeNull();
});

test('being moved, made moderator or named successor is said', () => {
  const before = view({ role: Role.SPEAKER }, { stage });
  expect(said(before, { case: 'stageLeft', value: { userId: me, cause: StageCause.MOVED, byUserId: lina } })?.key).toBe('notice.movedBy');
  expect(said(before, { case: 'stageLeft', value: { userId: me, cause: StageCause.BACK_TO_AUDIENCE, byUserId: me } })).toBeNull();
  expect(said(before, { case: 'stageSeatChanged', value: { seat: seat(me, Role.MODERATOR), byUserId: lina } })?.key).toBe('notice.moderator');
  expect(said(before, { case: 'stageSeatChanged', value: { seat: seat(me, Role.SPEAKER, { successor: true }), byUserId: lina } })?.key).toBe('notice.successor');
});

test('a hand that fell or was put down by others is said, the own lowering is not', () => {
  const lowered = (cause: HandCause): string | undefined => said(view(), { case: 'ownHand', value: { cause } })?.key;
  expect(lowered(HandCause.EXPIRED)).toBe('notice.handFell');
  expect(lowered(HandCause.DISMISSED)).toBe('notice.handDismissed');
  expect(lowered(HandCause.LOWERED)).toBeUndefined();
});

test('an invitation that ran out is said', () => {
  expect(said(view(), { case: 'offerClosed', value: { offer: offer(me), cause: OfferCause.EXPIRED } })?.key).toBe('notice.offerGone');
});

test('a room that goes on after being held is said', () => {
  const held = create(RoomSchema, { roomId: 'room00000001', state: RoomState.HELD });
  const live = create(RoomSchema, { roomId: 'room00000001', state: RoomState.LIVE });
  expect(said(view({}, { room: held }), { case: 'roomUpdated', value: { room: live } })?.key).toBe('notice.live');
});

test('everybody is told when the room is opened to the web, and when it is not any more', () => {
  const closed = create(RoomSchema, { roomId: 'room00000001', state: RoomState.LIVE });
  const open = create(RoomSchema, { roomId: 'room00000001', state: RoomState.LIVE, openToWeb: true });
  expect(said(view({}, { room: closed }), { case: 'roomUpdated', value: { room: open } })?.key).toBe('notice.web');
  expect(said(view({}, { room: open }), { case: 'roomUpdated', value: { room: closed } })?.key).toBe('notice.webOver');
  expect(said(view({}, { room: open }), { case: 'roomUpdated', value: { room: open } })).toBeNull();
  expect(said(view({}, { room: closed }), { case: 'snapshot', value: { ...snapshot({ room: open, revision: 8n }) } })?.key).toBe('notice.web');
});

test('who moderates learns whose hand fell, who declined and who did not answer', () => {
  const omar = 'omar00000001';
  const told = (fact: Parameters<typeof event>[1]): ReturnType<typeof forModerators> => forModerators(event(8n, fact), me);
  expect(told({ case: 'handLowered', value: { userId: omar, cause: HandCause.EXPIRED } })).toEqual({ key: 'queue.fell', user: omar });
  expect(told({ case: 'handLowered', value: { userId: omar, cause: HandCause.LOWERED } })).toBeNull();
  expect(told({ case: 'offerClosed', value: { offer: offer(omar), cause: OfferCause.DECLINED } })).toEqual({ key: 'queue.declined', user: omar });
  expect(told({ case: 'offerClosed', value: { offer: offer(omar), cause: OfferCause.EXPIRED } })).toEqual({ key: 'queue.unanswered', user: omar });
  expect(told({ case: 'offerClosed', value: { offer: offer(omar), cause: OfferCause.WITHDRAWN } })).toBeNull();
});

describe('a notice goes when its cause passes', () => {
  const muted = seat(me, Role.SPEAKER, { muted: true, mutedByModerator: true });
  const mute = { case: 'stageSeatChanged', value: { seat: muted, byUserId: lina } };
  let clock: FakeClock;
  let board: NoticeBoard;
  let now: RoomView;

  beforeEach(() => {
    clock = new FakeClock();
    board = new NoticeBoard(me, clock);
    now = view({ role: Role.SPEAKER }, { stage });
  });

  function happens(fact: Parameters<typeof event>[1]): string | undefined {
    const one = event(now.revision + 1n, fact);
    const after = reduce(now, one, me);
    board.put(announce(now, after, one, me), after);
    now = after;
    return board.notice?.key;
  }

  test('being muted stands until one unmutes', async () => {
    expect(happens(mute)).toBe('notice.mutedBy');
    await clock.pass(60_000);
    expect(board.notice?.key).toBe('notice.mutedBy');
    expect(happens({ case: 'stageSeatChanged', value: { seat: seat(me), byUserId: me } })).toBeUndefined();
  });

  test('or leaves the stage', () => {
    happens(mute);
    expect(happens({ case: 'stageLeft', value: { userId: me, cause: StageCause.BACK_TO_AUDIENCE } })).toBeUndefined();
  });

  test('a hand that fell is forgotten once one is invited all the same', () => {
    now = view();
    expect(happens({ case: 'ownHand', value: { cause: HandCause.EXPIRED } })).toBe('notice.handFell');
    expect(happens({ case: 'stageOffered', value: { offer: offer(me) } })).toBeUndefined();
  });

  test('what only tells of something goes by itself, whichever page is shown, and does not come back', async () => {
    now = view();
    happens({ case: 'offerClosed', value: { offer: offer(me), cause: OfferCause.EXPIRED } });
    expect(board.notice?.key).toBe('notice.offerGone');
    await clock.pass(9_000);
    expect(board.notice).toBeNull();
    expect(happens({ case: 'handRaised', value: { handCount: 1 } })).toBeUndefined();
  });
});

test('who is let write captions, stopped for a while, or no longer, reads it', () => {
  const writes = (...mine: { languages: string[]; muted?: boolean }[]): CaptionersChanged['captioners'] => mine.map((one) => create(CaptionerSchema, { person: person(me), ...one }));
  const change = (was: Parameters<typeof writes>, is: Parameters<typeof writes>): string | undefined =>
    said({ ...view(), captioners: writes(...was) }, { case: 'captionersChanged', value: { captioners: writes(...is) } })?.key;
  expect(change([], [{ languages: ['ar'] }])).toBe('notice.captionsLet');
  expect(change([{ languages: ['ar'] }], [{ languages: ['ar', 'ru'] }])).toBe('notice.captionsLet');
  expect(change([{ languages: ['ar'] }], [{ languages: ['ar'], muted: true }])).toBe('notice.captionsMuted');
  expect(change([{ languages: ['ar'], muted: true }], [{ languages: ['ar'] }])).toBe('notice.captionsLet');
  expect(change([{ languages: ['ar'] }], [])).toBe('notice.captionsStopped');
  expect(change([{ languages: ['ar'] }], [{ languages: ['ar'] }])).toBeUndefined();
});
