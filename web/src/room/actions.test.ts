// What people do in a room: the call that is made, what is said of it, and how it is undone, with a server that tests play.
import { Code } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from 'vitest';
import { ModerationService } from '../gen/majlis/room_directory/v1/moderation_service_pb.ts';
import { OwnSeatSchema, Role, type OwnSeat, type MediaPermit } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { Deed, StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { reasonOf } from '../lib/refusal.ts';
import { FakeMicrophone, FakeSound, FakeToasts, plainWords } from '../testing/room.ts';
import { fakeClient, refusedWith } from '../testing/server.ts';
import { RoomActions } from './actions.ts';
import { me, person, seat, view } from './fixtures.ts';
import type { LiveRoom } from './live.svelte.ts';
import type { RoomView } from './reducer.ts';

/** A room as the person's acts see it. */
class FakeRoom {
  id = 'room00000001';
  key = 'key';
  view: RoomView | null = view();
  onStage = false;
  readonly did: string[] = [];
  sound = new FakeSound();
  entry = { left: false };
  queue = { nameOf: () => 'Omar' };
  listening = { understands: ['ar'], wish: { language: '', understands: ['ar'] } };
  feed = { adopt: (own: OwnSeat | undefined) => void this.did.push(`adopt ${own?.epoch ?? 'nothing'}`) };
  follower = { during: async <T>(call: () => Promise<T>): Promise<T> => (this.did.push('moving'), call()) };
  climb = async (own: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> => void this.did.push(`climb ${own?.epoch} ${permit?.permit}`);
  descend = async (own: OwnSeat | undefined): Promise<void> => void this.did.push(`descend ${own?.epoch}`);
}

const omar = person('omar00000001');
let fake: FakeRoom;
let room: LiveRoom;
let microphone: FakeMicrophone;
let toasts: FakeToasts;
let shared: string[];
let undone: Deed[];
let refuses: string;
let unsaved: boolean;
let actions: RoomActions;

/** Answers a call, or refuses it. */
function answer<T>(value: T): T {
  if (refuses) throw refusedWith(Code.FailedPrecondition, refuses);
  return value;
}

beforeEach(() => {
  fake = new FakeRoom();
  room = fake as unknown as LiveRoom;
  microphone = new FakeMicrophone();
  toasts = new FakeToasts();
  [shared, undone, refuses, unsaved] = [[], [], '', false];
  const own = create(OwnSeatSchema, { epoch: 9n });
  const api = {
    rooms: fakeClient(RoomService, {}),
    stage: fakeClient(StageService, {
      raiseHand: () => answer({ seat: own }),
      acceptOffer: () => answer({ seat: own, permit: { permit: 'up' } }),
      declineOffer: () => answer({ seat: own }),
      leaveStage: () => answer({ seat: own }),
      setOwnMute: () => answer({}),
      muteSpeaker: () => answer({ unsaved }),
      takeBack: ({ deed }) => (undone.push(deed), {}),
    }),
    moderation: fakeClient(ModerationService, { blockPerson: () => answer({ rooms: [{ roomId: 'room00000001' }] }) }),
  };
  actions = new RoomActions({ api, toasts, words: plainWords, microphone, sharing: { share: async (url) => void shared.push(url) } });
});

const refusals = (): string[] => toasts.refused.map(reasonOf);

test('a raised hand is shown as the server has it, a refused one says why', async () => {
  expect(await actions.raiseHand(room, 'How?')).toBe(true);
  refuses = 'HANDS_OFF';
  expect(await actions.raiseHand(room, 'How?')).toBe(false);
  expect([fake.did, refusals()]).toEqual([['adopt 9', 'adopt nothing'], ['HANDS_OFF']]);
});

describe('accepting the stage', () => {
  test('opens the microphone first, then goes up with the answer’s permit', async () => {
    expect(await actions.acceptOffer(room, 'offer')).toBe(true);
    expect([microphone.did, fake.did]).toEqual([['open'], ['moving', 'climb 9 up']]);
  });

  test('is not done without a microphone: nobody stands there unheard', async () => {
    microphone.allowed = false;
    expect(await actions.acceptOffer(room, 'offer')).toBe(false);
    expect(fake.did).toEqual([]);
  });

  test('that comes too late gives the microphone back', async () => {
    refuses = 'OFFER_GONE';
    await actions.acceptOffer(room, 'offer');
    expect([microphone.did, refusals()]).toEqual([['open', 'close'], ['OFFER_GONE']]);
  });
});

test('declining gives the microphone back to a listener, not to who speaks already', async () => {
  await actions.declineOffer(room, 'offer');
  fake.onStage = true;
  await actions.declineOffer(room, 'offer');
  expect(microphone.did).toEqual(['close']);
});

test('muting oneself is at once and whatever the server says; unmuting waits for it', async () => {
  refuses = 'NOT_ON_STAGE';
  await actions.setOwnMute(room, true);
  await actions.setOwnMute(room, false);
  expect([microphone.did, fake.sound.sent]).toEqual([['hold', 'open'], 1]);
  refuses = '';
  await actions.setOwnMute(room, false);
  expect(microphone.did.at(-1)).toBe('release');
});

describe('a moderator’s act', () => {
  test('is said with the name and an undo', async () => {
    await actions.muteSpeaker(room, omar);
    expect(toasts.said).toEqual([{ key: 'moderate.muted', values: { name: omar.displayName } }]);
    await toasts.undo?.();
    expect(undone).toEqual([Deed.MUTE]);
  });

  test('that holds but could not be written says so', async () => {
    unsaved = true;
    await actions.muteSpeaker(room, omar);
    expect(toasts.said.map(({ key }) => key)).toEqual(['moderate.unsaved', 'moderate.muted']);
  });

  test('that is refused is not said to be done', async () => {
    refuses = 'NOT_ALLOWED';
    await actions.muteSpeaker(room, omar);
    expect([toasts.said, refusals()]).toEqual([[], ['NOT_ALLOWED']]);
  });
});

test('a block tells whether the person is still in this room', async () => {
  expect(await actions.blockPerson(room, omar)).toBe(true);
});

test('stepping down follows the answer', async () => {
  fake.view = view({ role: Role.SPEAKER }, { stage: [seat(me)] });
  await actions.leaveStage(room);
  expect(fake.did).toEqual(['moving', 'descend 9']);
});
