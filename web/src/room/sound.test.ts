// How the sound of a room moves from one session to the next, with sessions that tests play.
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Refusal } from '../lib/refusal.ts';
import { refusedWith } from '../testing/server.ts';
import { settled, type FakeClock, type FakeNetwork } from '../testing/clock.ts';
import { SoundScene, type FakeSession, type FakeWeb } from '../testing/sound.ts';
import type { Sound } from './sound.svelte.ts';

let scene: SoundScene;
let all: FakeSession[];
let webs: FakeWeb[];
let refusals: Error[];
let asked: string[];
let refused: string[];
let heardBy: string[];
let clock: FakeClock;
let network: FakeNetwork;
let sound: Sound;
let playing: () => Promise<FakeSession>;

beforeEach(() => {
  scene = new SoundScene();
  ({ all, webs, refusals, asked, refused, heardBy, clock, network, sound } = scene);
  playing = () => scene.playing();
});

afterEach(() => sound.stop('here'));

test('a session that connects sounds', async () => {
  await playing();
  expect(sound.state).toBe('on');
});

test('a session is begun with the servers its permit brought', async () => {
  const iceServers = [{ urls: ['turns:turn.hall.example:443'], username: 'u', credential: 'c' }];
  await sound.start('audience', { permit: 'p', path: '/whep/room00000001', iceServers });
  expect(all[0]?.iceServers).toEqual(iceServers);
});

test('going on stage silences the audience session only once the stage is connected', async () => {
  const audience = await playing();
  await sound.start('stage', { permit: 's', path: '/whip/room00000001' });
  const stage = all[1] as FakeSession;
  expect([audience.silenced, audience.state, sound.state]).toEqual([false, 'connected', 'on']);
  stage.become('connected');
  await settled();
  expect([audience.silenced, audience.state, audience.farewell, sound.state]).toEqual([true, 'closed', 'ended', 'on']);
  expect(asked).toEqual(['audience']);
});

test('a moved session keeps the old sound until the new one carries it, and ends it at the relay', async () => {
  const old = await playing();
  sound.renew(1_000);
  await clock.pass(1_000);
  expect(old.state).toBe('connected');
  const next = all[1] as FakeSession;
  next.become('connected');
  await clock.pass(500);
  expect([old.silenced, old.state]).toEqual([false, 'connected']);
  next.heard = true;
  await clock.pass(20);
  expect([old.silenced, old.farewell]).toEqual([true, 'here']);
});

test('a moved session takes over where nobody speaks, and at once where the old one is gone', async () => {
  const first = await playing();
  sound.renew(0);
  await clock.pass(0);
  all[1]?.become('connected');
  await clock.pass(1_000);
  expect(first.farewell).toBe('here');
  sound.renew(0);
  await clock.pass(0);
  all[1]?.become('failed');
  all[2]?.become('connected');
  await clock.pass(20);
  expect(all[1]?.farewell).toBe('here');
  expect(sound.state).toBe('on');
});

test('a network that lets nothing through is said, stays said while it is tried again, and clears', async () => {
  await sound.start('audience');
  all[0]?.become('failed');
  webs[0]?.fails();
  expect([sound.state, sound.rung, scene.muffled]).toEqual(['blocked', 'text', 1]);
  await clock.pass(3_000);
  expect(all).toHaveLength(2);
  expect(sound.state).toBe('blocked');
  all[1]?.become('connected');
  await settled();
  expect(sound.state).toBe('on');
});

test('a lost connection is said and a new session comes by itself', async () => {
  const session = await playing();
  session.become('failed');
  expect(sound.state).toBe('reconnecting');
  await clock.pass(2_000);
  all[1]?.become('connected');
  await settled();
  expect(sound.state).toBe('on');
});

test('a relay that is not heard any more is said at once; what was lost may come back by itself', async () => {
  const session = await playing();
  session.become('lost');
  expect(sound.state).toBe('reconnecting');
  session.become('connected');
  await settled();
  expect([sound.state, all.length]).toEqual(['on', 1]);
});

test.each([
  ['NO_RELAY', { relays: 'away' }],
  ['RELAY_BUSY', {}],
  ['RELAY_DRAINING', {}],
])('where relays are away, busy or going nobody is told that the hall is full: %s', async (reason, metadata) => {
  const session = await playing();
  const refusal = refusedWith(Code.Unavailable, reason);
  Object.assign((refusal.details[0] as { debug: object }).debug, { metadata });
  refusals.push(refusal, refusal);
  session.become('failed');
  await clock.pass(2_000);
  expect(asked).toHaveLength(2);
  expect(sound.state).toBe('reconnecting');
});

test('a browser that wants a tap first gets one button', async () => {
  await sound.start('audience');
  const session = all[0] as FakeSession;
  session.playable = false;
  session.become('connected');
  await settled();
  expect(sound.state).toBe('tap');
  session.playable = true;
  await sound.tapped();
  expect(sound.state).toBe('on');
});

test('a full hall is said and asked again; a removal ends the asking', async () => {
  refusals.push(new Refusal(503, 'NO_RELAY'), new Refusal(403, 'REMOVED'));
  await sound.start('audience');
  expect(sound.state).toBe('full');
  await clock.pass(3_000);
  expect(refused).toEqual(['REMOVED']);
  const before = asked.length;
  await clock.pass(60_000);
  expect(asked.length).toBe(before);
});

test('a network that comes back is tried at once; one that was never away changes nothing', async () => {
  refusals.push(new Refusal(503, 'PART_UNAVAILABLE'));
  await sound.start('audience');
  expect(sound.state).toBe('reconnecting');
  network.comesBack();
  await settled();
  all[0]?.become('connected');
  await settled();
  network.comesBack();
  await settled();
  expect([sound.state, all.length]).toEqual(['on', 1]);
});

test('who left is not brought back by anything that was still to come', async () => {
  await playing();
  sound.renew(1_000);
  sound.stop('here');
  network.comesBack();
  await clock.pass(60_000);
  expect([sound.state, all.length]).toEqual(['closed', 1]);
});

test('another channel is heard by the session that plays, where its relay can change it', async () => {
  const session = await playing();
  session.changes = true;
  await sound.change();
  expect([all.length, session.changed.length, asked.at(-1), sound.state]).toEqual([1, 1, 'audience', 'on']);
});

test('where that cannot be a new session hears it, and the old one plays until then', async () => {
  const session = await playing();
  await sound.change();
  expect([all.length, session.state, asked.length]).toEqual([2, 'connected', 3]);
  const next = all[1] as FakeSession;
  next.heard = true;
  next.become('connected');
  await clock.pass(20);
  await settled();
  expect([session.state, sound.state]).toEqual(['closed', 'on']);
});

test('a change while nothing plays yet is for the session that comes', async () => {
  await sound.start('audience');
  await sound.change();
  expect([all.length, (all[0] as FakeSession).state]).toEqual([2, 'closed']);
});

test('a stage is heard by the ear, an audience plainly', async () => {
  await playing();
  await sound.start('stage', { permit: 's', path: '/whip/room00000001' });
  (all[1] as FakeSession).become('connected');
  await settled();
  expect(heardBy).toEqual(['plain', 'ear']);
});

