// Which session fits the seat, and what becomes of the microphone, with a sound that tests play.
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from 'vitest';
import { MediaMovedSchema } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { MediaPermitSchema, Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { settled } from '../testing/clock.ts';
import { FakeMicrophone, FakeSound } from '../testing/room.ts';
import { me, offer, seat, view } from './fixtures.ts';
import type { RoomView } from './reducer.ts';
import { SoundFollower } from './sound-follower.ts';

const below = view();
const invited = view({}, { offers: [offer(me)] });
const above = view({ role: Role.SPEAKER }, { stage: [seat(me)] });
const muted = view({ role: Role.SPEAKER }, { stage: [seat(me, Role.SPEAKER, { muted: true })] });
const permit = create(MediaPermitSchema, { permit: 'p', path: '/whip/room00000001' });

let shown: RoomView;
let sound: FakeSound;
let microphone: FakeMicrophone;
let follower: SoundFollower;

/** Something was decided elsewhere. */
function becomes(after: RoomView, moved: Parameters<SoundFollower['follow']>[2] = null): void {
  const from = shown;
  shown = after;
  follower.follow(from, after, moved);
}

beforeEach(() => {
  shown = below;
  sound = new FakeSound();
  microphone = new FakeMicrophone();
  follower = new SoundFollower(me, () => shown, sound, microphone);
});

test('a listener gets the audience’s session and is asked for no microphone', async () => {
  await follower.start(permit);
  expect([sound.started, microphone.did]).toEqual([[{ kind: 'audience', permit }], []]);
});

test('who comes back to a place on stage has the microphone with it, as the seat says: muted stays muted', async () => {
  shown = muted;
  await follower.start(permit);
  expect([sound.started, microphone.did, sound.sent]).toEqual([[{ kind: 'stage', permit }], ['open', 'off'], 1]);
});

test('the sound does not wait for the browser’s question', async () => {
  shown = above;
  microphone.granted = async () => false;
  microphone.open = () => new Promise(() => undefined);
  await follower.start();
  expect(sound.kind).toBe('stage');
});

describe('an offer', () => {
  test('that ends gives the microphone back', () => {
    becomes(invited);
    becomes(below);
    expect(microphone.did).toEqual(['close']);
  });

  test('accepted keeps the microphone when the answer comes before the news of the offer', async () => {
    becomes(invited);
    await follower.climb(permit);
    becomes(above);
    expect([microphone.did.includes('close'), sound.started]).toEqual([false, [{ kind: 'stage', permit }]]);
  });

  test('accepted keeps the microphone when the news of the offer comes before the answer', async () => {
    becomes(invited);
    const answer = await follower.during(async () => {
      becomes(below);
      becomes(above);
      return 'accepted';
    });
    await follower.climb(permit);
    expect([answer, microphone.did.includes('close'), sound.started.length]).toEqual(['accepted', false, 1]);
  });

  test('that could not be accepted leaves events to be followed again', async () => {
    await expect(follower.during(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    becomes(invited);
    becomes(below);
    expect(microphone.did).toEqual(['close']);
  });
});

test('who is brought up elsewhere gets the stage’s session, who is brought down the audience’s and no microphone', async () => {
  becomes(above);
  await settled();
  expect([sound.kind, microphone.did[0]]).toEqual(['stage', 'open']);
  becomes(below);
  await settled();
  expect([sound.kind, microphone.did.at(-1)]).toEqual(['audience', 'close']);
});

test('a mute decided elsewhere switches the microphone off', async () => {
  await follower.climb(permit);
  becomes(above);
  becomes(muted);
  expect(microphone.did.at(-1)).toBe('off');
});

test('the sound moves with its relay, and not with another one', () => {
  becomes(below, create(MediaMovedSchema, { relayId: 'relay2', spreadMilliseconds: 7 }));
  becomes(below, create(MediaMovedSchema, { relayId: 'relay1', spreadMilliseconds: 5 }));
  becomes(below, create(MediaMovedSchema, { spreadMilliseconds: 9 }));
  expect(sound.renewed).toEqual([5, 9]);
});

test('who goes is silent at once', () => {
  follower.stop('here');
  expect([sound.stopped, microphone.did]).toEqual(['here', ['close']]);
});

test('whoever is sent from a booth to the floor, or to another booth, gets a session of that place', async () => {
  const booth = (language: string): RoomView => view({ role: Role.INTERPRETER }, { stage: [seat(me, Role.INTERPRETER, { language })] });
  sound.kind = 'stage';
  shown = booth('ar');
  becomes(booth('ru'));
  becomes(booth('ru'));
  await settled();
  expect(sound.started.map(({ kind }) => kind)).toEqual(['stage']);
});
