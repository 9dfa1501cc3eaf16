// A room being lived in: what becomes of the microphone, with a sound that tests play.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { HandSchema, OwnSeatSchema, Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { Refusal } from '../lib/refusal.ts';
import type { StreamListener } from './events.ts';
import { event, me, offer, seat, snapshot, view } from './fixtures.ts';

const microphone = { open: vi.fn(async () => true), granted: async () => true, enable: vi.fn(), close: vi.fn(), track: null };
class FakeSound {
  kind = 'audience';
  relay = 'relay1';
  renew = vi.fn();
  stop = vi.fn();
  start = vi.fn(async (kind: string) => void (this.kind = kind));
  sendMicrophone = vi.fn(async () => undefined);
}

const rooms = { joinRoom: vi.fn(), getRoom: vi.fn(), leaveRoom: vi.fn(async () => ({})) };
let stream: StreamListener;
class FakeEvents {
  close = (): void => undefined;
  resync = vi.fn();
  constructor(_room: string, listener: StreamListener) {
    stream = listener;
  }
}

const callAndGo = vi.fn();
vi.mock('../lib/api.ts', () => ({ rooms, callAndGo }));
vi.mock('./events.ts', () => ({ RoomEvents: FakeEvents }));
vi.mock('../media/microphone.svelte.ts', () => ({ microphone }));
const chime = vi.fn();
vi.mock('./sound.svelte.ts', () => ({ Sound: FakeSound }));
vi.mock('../media/chime.ts', () => ({ chime }));
const { LiveRoom } = await import('./live.svelte.ts');

const onStage = create(OwnSeatSchema, { role: Role.SPEAKER, epoch: 4n });
const closing = event(9n, { case: 'offerClosed', value: { offer: offer(me) } });
let room: InstanceType<typeof LiveRoom>;

beforeEach(() => {
  vi.clearAllMocks();
  room = new LiveRoom('room00000001', '', me);
  room.view = view();
  room.take(event(8n, { case: 'stageOffered', value: { offer: offer(me) } }));
});

test('an offer that ends gives the microphone back', () => {
  room.take(closing);
  expect(microphone.close).toHaveBeenCalled();
});

test('who accepted keeps the microphone when the answer comes before the news of the offer', async () => {
  await room.climb(onStage, undefined);
  room.take(closing);
  expect(microphone.close).not.toHaveBeenCalled();
});

test('who accepted keeps the microphone when the news of the offer comes before the answer', async () => {
  room.moving = true;
  room.take(closing);
  room.moving = false;
  await room.climb(onStage, undefined);
  expect(microphone.close).not.toHaveBeenCalled();
});

test('a page that goes away gives a listener’s seat up, but not a raised hand, an offer or a place on stage: a reload returns to them', () => {
  const left = (own: Parameters<typeof view>[0], snap: Parameters<typeof view>[1] = {}): boolean => {
    callAndGo.mockClear();
    room = new LiveRoom('room00000001', '', me);
    room.view = view(own, snap);
    room.vanish();
    return callAndGo.mock.calls.length > 0;
  };
  expect(left({})).toBe(true);
  expect(left({ hand: create(HandSchema) })).toBe(false);
  expect(left({}, { offers: [offer(me)] })).toBe(false);
  expect(left({ role: Role.SPEAKER }, { stage: [seat(me)] })).toBe(false);
});

test('a hand sounds for who moderates, on whichever page, and for nobody else', () => {
  const raised = (revision: bigint): ReturnType<typeof event> => event(revision, { case: 'handRaised', value: { userId: 'omar00000001', handCount: Number(revision) } });
  room.take(raised(9n));
  expect(chime).not.toHaveBeenCalled();
  room.view = view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)], revision: 9n });
  room.take(raised(10n));
  expect(chime).toHaveBeenCalledTimes(1);
});

test.each([
  ['ROOM_ENDED', 'ended'],
  ['REMOVED', 'removed'],
  ['STORAGE_UNAVAILABLE', 'left'],
])('a stream refused while the room says %s is shown as %s, never as an end that was not', async (reason, gone) => {
  rooms.joinRoom.mockResolvedValueOnce({ snapshot: snapshot(), seat: create(OwnSeatSchema, { role: Role.LISTENER, epoch: 3n }), permit: undefined, roomKey: '' });
  await room.enter();
  rooms.getRoom.mockRejectedValueOnce(new Refusal(503, reason));
  stream.refused(new Refusal(403, 'FORBIDDEN'));
  await vi.waitFor(() => expect(room.view?.gone).toBe(gone));
});

describe('a room without a place just now', () => {
  const seated = { snapshot: snapshot(), seat: create(OwnSeatSchema, { role: Role.LISTENER, epoch: 3n }), permit: undefined, roomKey: '' };
  const away = (reason: string): void => void rooms.joinRoom.mockRejectedValueOnce(new Refusal(503, reason));

  beforeEach(() => {
    vi.useFakeTimers();
    rooms.joinRoom.mockReset().mockResolvedValue(seated);
    room = new LiveRoom('room00000001', '', me);
  });

  afterEach(() => void vi.useRealTimers());

  test('is entered by itself once there is one', async () => {
    away('NO_RELAY');
    away('PART_UNAVAILABLE');
    await room.enter();
    expect([room.waiting, room.view]).toEqual([true, null]);
    await vi.advanceTimersByTimeAsync(2_000);
    // Why it does not open stays on show meanwhile.
    expect([room.waiting, (room.refusal as Refusal).reason]).toEqual([true, 'PART_UNAVAILABLE']);
    await vi.advanceTimersByTimeAsync(4_000);
    expect([room.waiting, room.refusal, room.view === null]).toEqual([false, null, false]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(rooms.joinRoom).toHaveBeenCalledTimes(3);
  });

  test('is left alone by who left the page, whenever they did', async () => {
    away('NO_RELAY');
    await room.enter();
    room.giveUp();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(rooms.joinRoom).toHaveBeenCalledTimes(1);

    room = new LiveRoom('room00000001', '', me);
    away('NO_RELAY');
    const first = room.enter();
    room.giveUp();
    await first;
    await vi.advanceTimersByTimeAsync(600_000);
    expect([room.waiting, rooms.joinRoom.mock.calls.length]).toEqual([false, 2]);
  });

  test('gives a seat back that came after the page was left', async () => {
    away('NO_RELAY');
    await room.enter();
    let open: (answer: unknown) => void = () => undefined;
    rooms.joinRoom.mockReturnValueOnce(new Promise((resolve) => (open = resolve)));
    await vi.advanceTimersByTimeAsync(2_000);
    room.giveUp();
    open(seated);
    await vi.advanceTimersByTimeAsync(0);
    expect(rooms.leaveRoom).toHaveBeenCalledWith({ roomId: 'room00000001', epoch: 3n });
    expect(room.view).toBe(null);
  });

  test('is knocked at while it is full, since seats come free, but not where it is shut', async () => {
    away('ROOM_FULL');
    await room.enter();
    expect(room.waiting).toBe(true);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(room.view === null).toBe(false);
    room = new LiveRoom('room00000001', '', me);
    rooms.joinRoom.mockRejectedValueOnce(new Refusal(403, 'BLOCKED'));
    await room.enter();
    expect(room.waiting).toBe(false);
  });

  test('is not knocked at for ever', async () => {
    rooms.joinRoom.mockReset().mockRejectedValue(new Refusal(503, 'NO_RELAY'));
    await room.enter();
    await vi.advanceTimersByTimeAsync(3_600_000);
    const tries = rooms.joinRoom.mock.calls.length;
    expect(room.waiting).toBe(false);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(rooms.joinRoom).toHaveBeenCalledTimes(tries);
  });
});

describe('what happened before the stream came', () => {
  const listening = create(OwnSeatSchema, { role: Role.LISTENER, epoch: 3n });
  const status = (revision: bigint, mayBeOld = false): ReturnType<typeof event> => event(revision, { case: 'streamStatus', value: { mayBeOld } });
  const mine = (revision: bigint, cause = 'stageJoined'): ReturnType<typeof event> =>
    cause === 'stageJoined' ? event(revision, { case: 'stageJoined', value: { seat: seat(me) } }) : event(revision, { case: 'stageLeft', value: { userId: me, cause, byUserId: 'lina00000001' } });
  let sound: FakeSound;

  beforeEach(async () => {
    rooms.joinRoom.mockReset().mockResolvedValue({ snapshot: snapshot({ revision: 20n }), seat: listening, permit: undefined, roomKey: '' });
    room = new LiveRoom('room00000001', '', me);
    await room.enter();
    sound = room.sound as unknown as FakeSound;
    vi.clearAllMocks();
    stream.connected(true);
  });

  test('opens no microphone, asks for no permit, announces nothing and throws nobody out', () => {
    expect(stream.revision()).toBe(20n);
    for (const each of [mine(12n), event(13n, { case: 'stageSeatChanged', value: { seat: seat(me, Role.SPEAKER, { muted: true, mutedByModerator: true }), byUserId: 'lina00000001' } }), mine(14n, 'moved'), event(15n, { case: 'personRemoved', value: { userId: me } })]) {
      stream.event(each);
    }
    stream.event(event(11n, { case: 'snapshot', value: { ...snapshot({ stage: [seat(me)], revision: 11n }) } }));
    stream.event(status(20n));
    expect(microphone.open).not.toHaveBeenCalled();
    expect(sound.start).not.toHaveBeenCalled();
    expect([room.notice, room.view?.gone, room.onStage, room.view?.revision]).toEqual([null, null, false, 20n]);
  });

  test('is acted on once, by what came of it, when the stream was away', () => {
    stream.event(mine(21n));
    stream.event(mine(22n, 'moved'));
    expect(room.view?.revision).toBe(22n);
    stream.event(status(22n));
    expect([sound.start.mock.calls.length, microphone.open.mock.calls.length, room.notice]).toEqual([0, 0, null]);

    stream.connected(true);
    stream.event(mine(23n));
    expect(sound.start).not.toHaveBeenCalled();
    stream.event(event(24n, { case: 'mediaMoved', value: { relayId: 'relay1', spreadMilliseconds: 5 } }));
    stream.event(event(24n, { case: 'pulse', value: { listenerCount: 1 } }));
    expect(microphone.open).toHaveBeenCalledTimes(1);
    expect(sound.renew).toHaveBeenCalledTimes(1);
  });

  test('ends with the status: from there on things are announced and acted on as they happen', () => {
    stream.event(status(20n));
    stream.event(mine(21n));
    stream.event(mine(22n, 'moved'));
    expect(microphone.open).toHaveBeenCalledTimes(1);
    expect(room.notice?.key).toBe('notice.movedBy');
  });

  test('that something may be old is said until it no longer is', () => {
    stream.event(status(20n, true));
    expect(room.mayBeOld).toBe(true);
    stream.event(status(20n));
    expect(room.mayBeOld).toBe(false);
  });

  test('nothing is put on top of a gap: what is missing is asked for after what is shown', () => {
    stream.event(status(20n));
    stream.event(event(22n, { case: 'personRemoved', value: { userId: me } }));
    expect([room.view?.gone, stream.revision()]).toEqual([null, 20n]);
  });
});
