// What a person is shown of a room, with a stream that tests play.
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from 'vitest';
import { JoinRoomResponseSchema } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { OwnSeatSchema, Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { Refusal } from '../lib/refusal.ts';
import { FakeClock } from '../testing/clock.ts';
import { FakeStream } from '../testing/room.ts';
import { Feed, type Change, type FeedListener } from './feed.svelte.ts';
import { event, me, seat, snapshot } from './fixtures.ts';
import type { RoomView } from './reducer.ts';

class FakeListener implements FeedListener {
  readonly changes: Change[] = [];
  readonly adoptions: RoomView[] = [];
  readonly refusals: Refusal[] = [];
  shown = (): void => undefined;
  changed = (change: Change): void => void this.changes.push(change);
  adopted = (view: RoomView): void => void this.adoptions.push(view);
  refused = (refusal: Refusal): void => void this.refusals.push(refusal);
  speakers = (): boolean => false;
}

const listening = create(OwnSeatSchema, { role: Role.LISTENER, epoch: 3n });
const status = (revision: bigint, mayBeOld = false): RoomEvent => event(revision, { case: 'streamStatus', value: { mayBeOld } });
const pulse = (revision: bigint, listenerCount = 1): RoomEvent => event(revision, { case: 'pulse', value: { listenerCount } });
const joins = (revision: bigint): RoomEvent => event(revision, { case: 'stageJoined', value: { seat: seat(me) } });
const leaves = (revision: bigint): RoomEvent => event(revision, { case: 'stageLeft', value: { userId: me, byUserId: 'lina00000001' } });

let clock: FakeClock;
let listener: FakeListener;
let feed: Feed;
let stream: FakeStream;

beforeEach(() => {
  clock = new FakeClock();
  listener = new FakeListener();
  feed = new Feed(me, (hears) => (stream = new FakeStream(hears)), clock, listener);
  feed.seated(create(JoinRoomResponseSchema, { snapshot: snapshot({ revision: 20n }), seat: listening, roomKey: 'key' }));
  feed.open();
  stream.opens();
});

test('the seat’s answer is what is shown first, with the key that came with it', () => {
  expect([feed.view?.revision, feed.view?.own.epoch, feed.view?.room.roomKey]).toEqual([20n, 3n, 'key']);
  expect(stream.listener.revision()).toBe(20n);
});

describe('what happened before the stream came', () => {
  test('is shown, and nobody is told of single things that are known already', () => {
    stream.brings(joins(12n), leaves(13n), event(14n, { case: 'personRemoved', value: { userId: me } }));
    stream.brings(event(11n, { case: 'snapshot', value: { ...snapshot({ stage: [seat(me)], revision: 11n }) } }));
    expect([listener.changes, feed.view?.gone, feed.view?.revision]).toEqual([[], null, 20n]);
    stream.brings(status(20n));
    expect(listener.changes.map(({ caughtUp, from, after }) => [caughtUp, from === after])).toEqual([[true, true]]);
  });

  test('is told once, by what came of it, when the stream was away', () => {
    const before = feed.view;
    stream.brings(joins(21n), leaves(22n), joins(23n), event(24n, { case: 'mediaMoved', value: { relayId: 'relay1', spreadMilliseconds: 5 } }));
    expect(listener.changes).toEqual([]);
    stream.brings(pulse(24n));
    expect(listener.changes.length).toBe(1);
    expect(listener.changes[0]).toMatchObject({ from: before, caughtUp: true, moved: { relayId: 'relay1' } });
    expect(listener.changes[0]?.after.own.role).toBe(Role.SPEAKER);
  });

  test('ends with the status: from there on each thing is told as it happens, and a move of the sound once', () => {
    stream.brings(status(20n), joins(21n), event(22n, { case: 'mediaMoved', value: { relayId: 'relay1' } }), leaves(23n));
    expect(listener.changes.map(({ event: { event: fact }, caughtUp, moved }) => [fact.case, caughtUp, moved !== null])).toEqual([
      ['streamStatus', true, false],
      ['stageJoined', false, false],
      ['mediaMoved', false, true],
      ['stageLeft', false, false],
    ]);
  });
});

describe('a gap', () => {
  beforeEach(() => stream.brings(status(20n)));

  test('is not built upon: what is missing is asked for after what is shown', () => {
    stream.brings(event(22n, { case: 'personRemoved', value: { userId: me } }));
    expect([feed.view?.gone, stream.listener.revision(), stream.asked]).toEqual([null, 20n, [false]]);
  });

  test('that only a pulse shows counts when it is still there at the next: a pulse may overtake a fact', () => {
    stream.brings(pulse(21n, 9));
    expect([stream.asked, feed.view?.listeners]).toEqual([[], 9]);
    stream.brings(pulse(21n));
    expect(stream.asked).toEqual([false]);
  });

  test('that stays is closed by a snapshot, and asked about no more often than each five seconds', async () => {
    stream.brings(joins(22n), joins(23n), joins(24n));
    expect(stream.asked).toEqual([false]);
    await clock.pass(5_000);
    stream.brings(joins(25n));
    expect(stream.asked).toEqual([false, true]);
  });
});

test('a stream that is away for a moment is nobody’s worry; away for longer, that is said until it is back', async () => {
  stream.breaks();
  await clock.pass(2_000);
  stream.opens();
  await clock.pass(10_000);
  expect(feed.stale).toBe(false);
  stream.breaks();
  await clock.pass(2_600);
  expect(feed.stale).toBe(true);
  stream.opens();
  expect(feed.stale).toBe(false);
});

test('that something may be old is said until it no longer is', () => {
  stream.brings(status(20n, true));
  expect(feed.mayBeOld).toBe(true);
  stream.brings(status(20n));
  expect(feed.mayBeOld).toBe(false);
});

test('taking the seat again never takes the view back behind what the stream brought', () => {
  stream.brings(status(20n), joins(21n));
  feed.seated(create(JoinRoomResponseSchema, { snapshot: snapshot({ revision: 19n }), seat: { epoch: 8n } }));
  expect(feed.view).toMatchObject({ revision: 21n, own: { epoch: 8n, role: Role.SPEAKER } });
});

test('what a call answered about the own place is shown and told', () => {
  feed.adopt(create(OwnSeatSchema, { role: Role.SPEAKER, epoch: 4n }));
  expect([feed.view?.own.epoch, listener.adoptions.at(-1) === feed.view]).toEqual([4n, true]);
});

test('who closes it hears no more of it, and what is shown stays', async () => {
  stream.breaks();
  feed.close();
  await clock.pass(60_000);
  expect([stream.closed, feed.stale, feed.view === null]).toEqual([true, false, false]);
});

test('a stream that is refused is told', () => {
  const refusal = new Refusal(403, 'FORBIDDEN');
  stream.isRefused(refusal);
  expect(listener.refusals).toEqual([refusal]);
});

test('relays that spare are known at once, and believed for a moment longer: another gateway may not have heard them yet', async () => {
  const spares = (...relays: string[]): RoomEvent =>
    event(20n, { case: 'streamStatus', value: { sparing: relays.map((relayId) => ({ relayId, ladderStep: 2 })) } });
  stream.brings(spares('relay1'));
  expect(feed.sparing).toEqual(['relay1']);
  stream.brings(spares());
  await clock.pass(2_000);
  stream.brings(spares('relay1'));
  await clock.pass(10_000);
  expect(feed.sparing).toEqual(['relay1']);
  stream.brings(spares());
  await clock.pass(2_900);
  expect(feed.sparing).toEqual(['relay1']);
  await clock.pass(200);
  expect(feed.sparing).toEqual([]);
});

describe('a stream that stands still', () => {
  test('is said at once, stays said while it breaks and comes back, and no longer', async () => {
    stream.stands(true);
    expect([feed.stale, feed.quiet]).toEqual([true, true]);
    stream.breaks();
    await clock.pass(5_000);
    expect([feed.stale, feed.quiet]).toEqual([true, true]);
    stream.opens();
    expect([feed.stale, feed.quiet]).toEqual([false, false]);
    stream.stands(true);
    stream.stands(false);
    expect([feed.stale, feed.quiet]).toEqual([false, false]);
  });

  test('is nothing new where the server has said that it has no news', () => {
    stream.brings(status(20n, true));
    stream.stands(true);
    expect([feed.mayBeOld, feed.stale, feed.quiet]).toEqual([true, false, false]);
  });
});
