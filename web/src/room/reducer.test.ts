// How a snapshot and events become what a person sees.
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { BoothSchema } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { OfferCause, StageCause } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { HandMode, HandSchema, Role, RoomSchema, RoomState } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { event, me, offer, person, seat, snapshot, view } from './fixtures.ts';
import { answered, inOrder, listenersShown, missed, ownStageSeat, reduce, rejoined } from './reducer.ts';

const lina = 'lina00000001';
const omar = 'omar0000000002';

describe('the stage', () => {
  test('somebody who comes on stage leaves the audience sample and the open offers', () => {
    const before = view({}, { audienceSample: [person(omar), person(me)], offers: [offer(omar)] });
    const after = reduce(before, event(8n, { case: 'stageJoined', value: { seat: seat(omar) } }), me);
    expect(after.stage.map((one) => one.person?.userId)).toEqual([lina, omar]);
    expect(after.sample.map((one) => one.userId)).toEqual([me]);
    expect(after.offers).toEqual([]);
  });

  test('coming on stage oneself brings role and number and ends hand and offer', () => {
    const before = view({ hand: create(HandSchema), handPosition: 2, offer: offer(me) });
    const { own } = reduce(before, event(8n, { case: 'stageJoined', value: { seat: seat(me, Role.SPEAKER, { member: 42 }) } }), me);
    expect(own).toMatchObject({ role: Role.SPEAKER, member: 42, handPosition: 0 });
    expect(own.hand).toBeUndefined();
    expect(own.offer).toBeUndefined();
  });

  test('a mute changes the seat in its place', () => {
    const before = view({}, { stage: [seat(lina, Role.MODERATOR), seat(omar)] });
    const after = reduce(before, event(8n, { case: 'stageSeatChanged', value: { seat: seat(omar, Role.SPEAKER, { muted: true }) } }), me);
    expect(after.stage.map((one) => one.muted)).toEqual([false, true]);
  });

  test('leaving the stage makes one a listener', () => {
    const before = view({ role: Role.SPEAKER, member: 5 }, { stage: [seat(lina, Role.MODERATOR), seat(me)] });
    const after = reduce(before, event(8n, { case: 'stageLeft', value: { userId: me, cause: StageCause.MOVED } }), me);
    expect(after.own).toMatchObject({ role: Role.LISTENER, member: 0 });
    expect(ownStageSeat(after, me)).toBeUndefined();
  });

  test('who goes up or comes down is counted once, before the next pulse says so', () => {
    const before = view({}, { audienceSample: [person(omar)] });
    const up = reduce(before, event(8n, { case: 'stageJoined', value: { seat: seat(omar) } }), me);
    const down = reduce(up, event(9n, { case: 'stageLeft', value: { userId: omar, cause: StageCause.BACK_TO_AUDIENCE } }), me);
    const gone = reduce(up, event(9n, { case: 'stageLeft', value: { userId: omar, cause: StageCause.LEFT } }), me);
    expect([before.listeners, up.listeners, down.listeners, gone.listeners]).toEqual([3, 2, 3, 2]);
  });

  test('moderators stand first', () => {
    expect(inOrder([seat(omar), seat(lina, Role.MODERATOR)]).map((one) => one.person?.userId)).toEqual([lina, omar]);
  });
});

describe('the faces of the audience', () => {
  const names = (sample: string[], stage = [seat(lina)]): string[] =>
    listenersShown(view({}, { stage, audienceSample: sample.map((each) => person(each)) }), person(me), 2).map((each) => each.userId);

  test('who listens is among them, in the largest hall and before the sample knows them', () => {
    expect(names([])).toEqual([me]);
    expect(names([lina, omar])).toEqual([me, lina]);
    expect(names([lina, omar, me])).toEqual([me, lina]);
  });

  test('nobody is there twice, and who speaks is not there', () => {
    expect(names([lina, me])).toEqual([lina, me]);
    expect(names([omar], [seat(me)])).toEqual([omar]);
  });
});

describe('hands and offers', () => {
  const own = (value: Record<string, unknown>): ReturnType<typeof event> => event(7n, { case: 'ownHand', value });
  const asked = create(HandSchema, { question: 'How?' });

  test('the own hand and its place are as the stream tells them', () => {
    const up = reduce(view(), own({ hand: asked, position: 2, queueRevision: 4n }), me);
    expect([up.own.hand?.question, up.own.handPosition]).toEqual(['How?', 2]);
    const nearer = reduce(up, own({ hand: asked, position: 1, queueRevision: 5n }), me);
    expect([nearer.own.handPosition, nearer.revision]).toEqual([1, 7n]);
    expect(reduce(nearer, own({ queueRevision: 6n }), me).own).toMatchObject({ hand: undefined, handPosition: 0 });
  });

  test('what shows an older queue than an answer did changes nothing, unless the server went back', () => {
    const before = view({ hand: asked, handPosition: 2, queueRevision: 9n });
    const late = own({ queueRevision: 8n });
    expect(reduce(before, late, me)).toBe(before);
    expect(reduce(before, Object.assign(late, { rewound: true }), me).own.hand).toBeUndefined();
  });

  test('an answer that comes after newer news of the stream keeps that', () => {
    const known = view({ hand: asked, handPosition: 1, queueRevision: 9n }).own;
    const answer = view({ hand: asked, handPosition: 2, queueRevision: 8n, epoch: 5n }).own;
    expect(answered(known, answer)).toMatchObject({ handPosition: 1, queueRevision: 9n, epoch: 5n });
    expect(answered(answer, known)).toBe(known);
  });

  test('changes of the queue count the hands and nothing else', () => {
    const before = view({ hand: asked, handPosition: 2 });
    const after = reduce(before, event(7n, { case: 'handLowered', value: { userId: omar, handCount: 4 } }), me);
    expect([after.hands, after.own, after.revision]).toEqual([4, before.own, before.revision]);
    expect(reduce(before, event(7n, { case: 'handQueue', value: { hands: [asked] } }), me).hands).toBe(1);
  });

  test('an offer to oneself is seen and goes when it is withdrawn', () => {
    const offered = reduce(view(), event(8n, { case: 'stageOffered', value: { offer: offer(me) } }), me);
    expect(offered.own.offer?.offerId).toBe(offer(me).offerId);
    const closed = reduce(offered, event(9n, { case: 'offerClosed', value: { offer: offer(me), cause: OfferCause.WITHDRAWN } }), me);
    expect(closed.own.offer).toBeUndefined();
  });

  test('switching hands off lowers the own hand', () => {
    const before = view({ hand: create(HandSchema) });
    const room = create(RoomSchema, { ...before.room, handMode: HandMode.OFF });
    expect(reduce(before, event(8n, { case: 'roomUpdated', value: { room } }), me).own.hand).toBeUndefined();
  });
});

describe('the end', () => {
  test('removal, end and another device each say why', () => {
    expect(reduce(view(), event(8n, { case: 'personRemoved', value: { userId: me } }), me).gone).toBe('removed');
    expect(reduce(view(), event(8n, { case: 'personRemoved', value: { userId: omar } }), me).gone).toBeNull();
    expect(reduce(view(), event(8n, { case: 'roomEnded', value: {} }), me).gone).toBe('ended');
    expect(reduce(view(), event(8n, { case: 'seatTakenOver', value: { userId: me, epoch: 9n } }), me).takenOverEpoch).toBe(9n);
  });

  test('a snapshot of an ended room ends it', () => {
    const room = create(RoomSchema, { roomId: 'room00000001', state: RoomState.ENDED });
    expect(reduce(view(), event(9n, { case: 'snapshot', value: { ...snapshot({ room }) } }), me).gone).toBe('ended');
  });
});

describe('revisions', () => {
  test('an event older than the view changes nothing', () => {
    const before = view();
    expect(reduce(before, event(6n, { case: 'personRemoved', value: { userId: me } }), me)).toBe(before);
  });

  test('a fact that comes again changes nothing', () => {
    const joined = event(8n, { case: 'stageJoined', value: { seat: seat(omar) } });
    const once = reduce(view(), joined, me);
    expect(reduce(once, joined, me)).toBe(once);
    expect(reduce(once, event(7n, { case: 'personRemoved', value: { userId: me } }), me)).toBe(once);
  });

  test('a snapshot older than the view changes nothing, unless the room itself went back', () => {
    const before = view({}, { revision: 70n });
    const older = event(64n, { case: 'snapshot', value: { ...snapshot({ stage: [seat(me)], revision: 64n }) } });
    expect(reduce(before, older, me)).toBe(before);
    const back = reduce(before, Object.assign(older, { rewound: true }), me);
    expect([back.revision, back.stage.length, back.own.role]).toEqual([64n, 1, Role.SPEAKER]);
  });

  test('taking the seat again never takes the view back behind what the stream brought', () => {
    const shown = view({}, { stage: [seat(lina, Role.MODERATOR), seat(me)], revision: 9n });
    const late = view({ epoch: 8n });
    expect(rejoined(shown, late, me)).toMatchObject({ revision: 9n, stage: shown.stage, own: { epoch: 8n, role: Role.SPEAKER } });
    const newer = view({ epoch: 8n }, { revision: 12n });
    expect(rejoined(shown, newer, me)).toBe(newer);
    expect(rejoined(null, late, me)).toBe(late);
  });

  test('a gap is noticed, the next revision and a snapshot are not one', () => {
    const shown = view();
    expect(missed(shown, event(9n, { case: 'stageJoined', value: {} }))).toBe(true);
    expect(missed(shown, event(8n, { case: 'stageJoined', value: {} }))).toBe(false);
    expect(missed(shown, event(7n, { case: 'handRaised', value: {} }))).toBe(false);
    expect(missed(shown, event(99n, { case: 'snapshot', value: {} }))).toBe(false);
    expect(missed(shown, event(8n, { case: 'pulse', value: {} }))).toBe(true);
  });

  test('who hears the room over the web is counted by pulses, also after the room is changed', () => {
    const counted = reduce(view(), event(7n, { case: 'pulse', value: { listenerCount: 2, webListenerCount: 120 } }), me);
    expect(counted.room.webListenerCount).toBe(120);
    const renamed = reduce(counted, event(8n, { case: 'roomUpdated', value: { room: { title: 'Another', openToWeb: true } } }), me);
    expect([renamed.room.title, renamed.room.webListenerCount]).toEqual(['Another', 120]);
    const closed = reduce(renamed, event(9n, { case: 'roomUpdated', value: { room: { title: 'Another' } } }), me);
    expect(closed.room.webListenerCount).toBe(0);
  });

  test('a pulse brings counts and keeps the sample unless it sends one', () => {
    const before = view({}, { audienceSample: [person(omar)] });
    const counted = reduce(before, event(7n, { case: 'pulse', value: { listenerCount: 5000, handCount: 2 } }), me);
    expect([counted.listeners, counted.hands, counted.sample.length]).toEqual([5000, 2, 1]);
    const emptied = reduce(before, event(7n, { case: 'pulse', value: { listenerCount: 0 } }), me);
    expect(emptied.sample).toEqual([]);
  });
});

test('a snapshot keeps the key of a closed room, which only moderators were given', () => {
  const before = view();
  before.room.roomKey = 'secret';
  expect(reduce(before, event(9n, { case: 'snapshot', value: { ...snapshot() } }), me).room.roomKey).toBe('secret');
});

describe('booths', () => {
  const arabic = create(BoothSchema, { language: 'ar', activeUserId: 'lina00000001' });

  test('are opened, change and are closed as the room says', () => {
    const opened = reduce(view(), event(8n, { case: 'boothChanged', value: { booth: arabic } }), me);
    expect(opened.booths.map(({ language }) => language)).toEqual(['ar']);
    const empty = create(BoothSchema, { language: 'ar' });
    const changed = reduce(opened, event(9n, { case: 'boothChanged', value: { booth: empty } }), me);
    expect(changed.booths).toEqual([empty]);
    expect(reduce(changed, event(10n, { case: 'boothClosed', value: { language: 'ar' } }), me).booths).toEqual([]);
  });

  test('come with a snapshot, and so does the own place in one', () => {
    const mine = seat(me, Role.INTERPRETER, { language: 'ar' });
    const shown = view({}, { stage: [mine], booths: [arabic] });
    expect([shown.booths.length, shown.own.language, shown.own.role]).toEqual([1, 'ar', Role.INTERPRETER]);
  });

  test('signs change nothing that is shown of the room', () => {
    const shown = view();
    expect(reduce(shown, event(7n, { case: 'boothSignalled', value: { language: 'ar' } }), me)).toBe(shown);
  });
});
