// A room being lived in: how its parts go together, with a server, a stream and a sound that tests play.
import { Code } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { beforeEach, expect, test } from 'vitest';
import { StageCause } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { HandCause, HandSchema, OwnSeatSchema, Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { waitsBy } from '../lib/back-off.ts';
import { Refusal } from '../lib/refusal.ts';
import { FakeClock } from '../testing/clock.ts';
import { FakeBox, FakeEar, FakeLocks, FakeMicrophone, FakeSound, FakeSpeaker, FakeStream, FakeToasts, plainWords } from '../testing/room.ts';
import { fakeClient, refusedWith } from '../testing/server.ts';
import { BoothCause } from '../gen/majlis/room_directory/v1/booth_events_pb.ts';
import { BoothSchema, BoothSignalKind, type Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { CaptionerSchema } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import { Choices } from './choices.ts';
import { event, me, offer, person, seat, snapshot, view } from './fixtures.ts';
import { LiveRoom } from './live.svelte.ts';
import type { WebSpeaker } from './web-speaker.svelte.ts';
import type { Sound } from './sound.svelte.ts';

const id = 'room00000001';
let clock: FakeClock;
let sound: FakeSound;
let microphone: FakeMicrophone;
let stream: FakeStream;
let toasts: FakeToasts;
let rang: number;
let understands: string[];
let ear: FakeEar;
/** What was chosen by hand in this tab. */
let chosen: string | null;
/** With which language it was asked for a seat. */
let wished: string[];
let leftBehind: bigint[];
let left: bigint[];
/** What the room holds beside the usual. */
let held: Parameters<typeof snapshot>[0];
/** How GetRoom refuses, if it does. */
let shut: Error | null;

function live(): LiveRoom {
  const rooms = fakeClient(RoomService, {
    joinRoom: ({ language }) => {
      wished.push(language);
      if (language === 'ru') throw refusedWith(Code.NotFound, 'BOOTH_UNKNOWN');
      return { snapshot: snapshot(held), seat: create(OwnSeatSchema, { role: Role.LISTENER, epoch: 3n }) };
    },
    leaveRoom: ({ epoch }) => (left.push(epoch), {}),
    getRoom: () => {
      if (shut) throw shut;
      return {};
    },
  });
  return new LiveRoom(id, '', me, {
    rooms,
    stage: fakeClient(StageService, {}),
    leaveAndGo: (_room, epoch) => void leftBehind.push(epoch),
    stream: (_room, listener) => (stream = new FakeStream(listener)),
    sound: () => sound as unknown as Sound,
    speaker: () => new FakeSpeaker() as unknown as WebSpeaker,
    microphone,
    chime: (urgent) => void (rang += urgent ? 100 : 1),
    toasts,
    words: plainWords,
    clock,
    waits: waitsBy(clock, () => 1),
    tickets: () => new FakeBox(),
    places: () => new FakeLocks(),
    captions: () => ({ close: () => undefined }),
    understands: () => understands,
    choices: new Choices({ recall: () => chosen, keep: (text) => void (chosen = text), me: () => me }),
    thrift: { on: false },
    ear,
    levels: { name: () => undefined },
  });
}

async function inside(): Promise<LiveRoom> {
  const room = live();
  await room.entry.enter();
  stream.opens();
  stream.brings(event(7n, { case: 'streamStatus', value: {} }));
  return room;
}

beforeEach(() => {
  clock = new FakeClock();
  sound = new FakeSound();
  microphone = new FakeMicrophone();
  toasts = new FakeToasts();
  rang = 0;
  understands = ['ar'];
  ear = new FakeEar();
  [chosen, wished] = [null, []];
  leftBehind = [];
  left = [];
  shut = null;
  held = {};
});

test('who enters hears the room and follows it', async () => {
  const room = await inside();
  expect([sound.started.map(({ kind }) => kind), room.view?.revision, stream.closed]).toEqual([['audience'], 7n, false]);
});

test('who left while the sound came up follows nothing', async () => {
  const room = live();
  const asked = stream;
  sound.start = async () => void room.leave();
  await room.entry.enter();
  expect(stream).toBe(asked);
});

test('who leaves is silent before the server is asked, and gives the seat up', async () => {
  const room = await inside();
  const leaving = room.leave();
  expect([sound.stopped, microphone.did.at(-1), stream.closed, left]).toEqual(['here', 'close', true, []]);
  await leaving;
  expect(left).toEqual([3n]);
});

test('a page that goes away gives a listener’s seat up, but not a raised hand, an offer or a place on stage: a reload returns to them', () => {
  const leavesItsSeat = (own: Parameters<typeof view>[0], snap: Parameters<typeof view>[1] = {}): boolean => {
    leftBehind = [];
    const room = live();
    room.feed.view = view(own, snap);
    room.vanish();
    return leftBehind.length > 0;
  };
  expect(leavesItsSeat({})).toBe(true);
  expect(leavesItsSeat({ hand: create(HandSchema) })).toBe(false);
  expect(leavesItsSeat({}, { offers: [offer(me)] })).toBe(false);
  expect(leavesItsSeat({ role: Role.SPEAKER }, { stage: [seat(me)] })).toBe(false);
});

test('a hand sounds for who moderates, on whichever page, and for nobody else', async () => {
  const raised = event(7n, { case: 'handRaised', value: { hand: create(HandSchema, { person: person('omar00000001') }), position: 1, handCount: 1 } });
  const room = await inside();
  stream.brings(raised);
  expect([rang, room.queue.hands]).toEqual([0, []]);
  room.feed.view = view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)] });
  stream.brings(raised, raised);
  expect([rang, room.queue.hands.map((hand) => hand.person?.userId)]).toEqual([1, ['omar00000001']]);
});

test('who no longer moderates has no queue', async () => {
  const room = await inside();
  room.feed.view = view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)] });
  stream.brings(event(7n, { case: 'handQueue', value: { hands: [create(HandSchema, { person: person('omar00000001') })] } }));
  expect(room.queue.hands).toHaveLength(1);
  stream.brings(event(8n, { case: 'stageSeatChanged', value: { seat: seat(me, Role.SPEAKER), byUserId: 'lina00000001' } }));
  expect(room.queue.hands).toEqual([]);
});

test('the queue of before the stream came back is there without a sound', async () => {
  const room = await inside();
  room.feed.view = view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)] });
  stream.opens();
  stream.brings(event(7n, { case: 'handQueue', value: { hands: [create(HandSchema, { person: person('omar00000001') })] } }));
  expect([rang, room.queue.hands.length]).toEqual([0, 1]);
});

test('whose hand fell is told to who moderates', async () => {
  const room = await inside();
  room.feed.view = view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)], revision: 8n });
  stream.brings(event(9n, { case: 'handLowered', value: { userId: 'lina00000002', handCount: 0, cause: HandCause.EXPIRED } }));
  expect(toasts.said).toEqual([{ key: 'queue.fell', values: { name: 'room.someone' } }]);
});

test('what happened while the stream was away is followed, but not announced as if it happened now', async () => {
  const room = await inside();
  const mine = (revision: bigint): ReturnType<typeof event> => event(revision, { case: 'stageLeft', value: { userId: me, cause: StageCause.MOVED, byUserId: 'lina00000001' } });
  stream.opens();
  stream.brings(event(8n, { case: 'stageJoined', value: { seat: seat(me) } }), mine(9n));
  stream.brings(event(9n, { case: 'streamStatus', value: {} }));
  expect([sound.started.length, microphone.did, room.notice]).toEqual([1, [], null]);
  stream.brings(event(10n, { case: 'stageJoined', value: { seat: seat(me) } }), mine(11n));
  expect(microphone.did[0]).toBe('open');
  expect(room.notice?.key).toBe('notice.movedBy');
});

test.each([
  ['ROOM_ENDED', 'ended'],
  ['REMOVED', 'removed'],
  ['STORAGE_UNAVAILABLE', 'left'],
])('a stream refused while the room says %s is shown as %s, never as an end that was not', async (reason, gone) => {
  const room = await inside();
  shut = refusedWith(Code.FailedPrecondition, reason);
  stream.isRefused(new Refusal(403, 'FORBIDDEN'));
  await clock.pass(0);
  expect([room.view?.gone, stream.closed, sound.stopped]).toEqual([gone, true, 'ended']);
});

test('a stream refused while the room would let the person in leaves the way back open', async () => {
  const room = await inside();
  stream.isRefused(new Refusal(403, 'FORBIDDEN'));
  await clock.pass(0);
  expect([room.view?.gone, sound.stopped, microphone.did.at(-1)]).toEqual(['left', 'ended', 'close']);
});

test('another device that takes the seat ends this one; this one joining again does not', async () => {
  const room = await inside();
  stream.brings(event(8n, { case: 'seatTakenOver', value: { userId: me, epoch: 3n } }));
  await clock.pass(0);
  expect(room.view?.gone).toBeNull();
  stream.brings(event(9n, { case: 'seatTakenOver', value: { userId: me, epoch: 4n } }));
  await clock.pass(0);
  expect([room.view?.gone, sound.stopped]).toEqual(['taken_over', 'ended']);
});

test('who leads alone is the last moderator until somebody else leads or the room is over', async () => {
  const room = live();
  const led = (...others: Parameters<typeof seat>[]): void => void (room.feed.view = view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR), ...others.map((each) => seat(...each))] }));
  led();
  expect(room.lastModerator).toBe(true);
  led(['omar00000001', Role.SPEAKER], ['anna00000001', Role.MODERATOR, { connected: false }]);
  expect(room.lastModerator).toBe(true);
  led(['omar00000001', Role.MODERATOR]);
  expect(room.lastModerator).toBe(false);
  led();
  room.feed.end('ended');
  expect(room.lastModerator).toBe(false);
});

test('a language chosen by hand is asked for again by a page that is loaded again, and captions that were open open again', async () => {
  held = { captioners: [create(CaptionerSchema, { person: person('vera00000001'), languages: ['floor', 'ar'] })] };
  const room = await inside();
  await room.hear('floor');
  room.captions.choose('ar');
  const again = await inside();
  expect([wished, again.listening.choice, again.captions.language]).toEqual([['', 'floor'], 'floor', 'ar']);
  again.captions.hide();
  expect((await inside()).captions.language).toBe('');
});

test('who comes back to a booth that was closed meanwhile gets in, hears by themselves and reads why', async () => {
  await (await inside()).hear('ru');
  const room = await inside();
  expect([wished, room.listening.choice, room.view?.own.epoch]).toEqual([['', 'ru', ''], 'auto', 3n]);
  expect(toasts.said).toEqual([{ key: 'listen.closed', values: { language: 'ru' } }]);
});

/** A room in whose Arabic booth this person sits with Vera, who is on air. */
async function inBooth(): Promise<{ room: LiveRoom; changes: (active: string, cause: BoothCause, by: string) => void }> {
  const booth = (activeUserId: string): Booth => create(BoothSchema, { language: 'ar', activeUserId, seats: [me, 'vera00000001'].map((one) => ({ person: person(one), connected: true })) });
  held = { stage: [seat(me, Role.INTERPRETER, { language: 'ar' }), seat('vera00000001', Role.INTERPRETER, { language: 'ar' })], booths: [booth('vera00000001')] };
  const room = await inside();
  let revision = 7n;
  return { room, changes: (active, cause, by) => stream.brings(event(++revision, { case: 'boothChanged', value: { booth: booth(active), cause, byUserId: by } })) };
}

test.each([
  [BoothCause.LOST, 'lost', 'desk.turnLost'],
  [BoothCause.LEFT, 'left', 'desk.turnLeft'],
] as const)('whoever is on air because their partner is gone (%s) gets a sign and a sound, at the desk and elsewhere', async (cause, kind, key) => {
  const { room, changes } = await inBooth();
  changes(me, cause, 'vera00000001');
  expect([room.signs.sign?.kind, room.signs.sign?.userId, rang]).toEqual([kind, 'vera00000001', 100]);
  expect(toasts.said).toEqual([{ key, values: { name: 'vera' } }]);
  changes('vera00000001', BoothCause.TAKEN_OVER, 'vera00000001');
  expect(room.signs.sign).toBeNull();
  room.signs.attend();
  changes(me, cause, 'vera00000001');
  expect([rang, toasts.said.length]).toEqual([200, 1]);
});

test('whoever takes over themselves hears nothing of it; a partner who asks for it is heard', async () => {
  const { room, changes } = await inBooth();
  stream.brings(event(7n, { case: 'boothSignalled', value: { language: 'ar', kind: BoothSignalKind.TAKE_OVER_PLEASE, byUserId: 'vera00000001' } }));
  expect([room.signs.sign?.kind, rang]).toEqual([BoothSignalKind.TAKE_OVER_PLEASE, 100]);
  changes(me, BoothCause.TAKEN_OVER, me);
  expect([room.signs.sign, rang, toasts.said]).toEqual([null, 100, []]);
});

test('who moves between booth and floor over HTTPS opens what is heard there, once; a call does so by its own session', async () => {
  const room = live();
  const moves = async (from: string, to: string): Promise<void> => {
    room.feed.view = view({ role: Role.INTERPRETER, language: from });
    await room.sit(create(OwnSeatSchema, { role: Role.INTERPRETER, language: to, epoch: 3n }), undefined);
  };
  sound.kind = 'stage';
  await moves('ar', '');
  expect(sound.changes).toBe(0);
  sound.rung = 'https';
  await moves('', 'ar');
  expect(sound.changes).toBe(1);
  await moves('ar', '');
  expect(sound.changes).toBe(2);
  // From the audience the sound opens another stream anyway: two more would be one too many for the gateway.
  sound.kind = 'audience';
  await moves('', 'ar');
  expect(sound.changes).toBe(2);
});
