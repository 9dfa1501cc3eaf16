// How the sound of a room finds its rung: down where the network blocks, up again when it lets through, with sessions that tests play.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Refusal } from '../lib/refusal.ts';
import { settled, type FakeClock, type FakeNetwork } from '../testing/clock.ts';
import { SoundScene, type FakeSession, type FakeWeb } from '../testing/sound.ts';
import type { Sound } from './sound.svelte.ts';

let scene: SoundScene;
let all: FakeSession[];
let webs: FakeWeb[];
let hint: SoundScene['hint'];
let uplink: string[];
let refusals: Error[];
let refused: string[];
let clock: FakeClock;
let network: FakeNetwork;
let sound: Sound;
let playing: () => Promise<FakeSession>;

beforeEach(() => {
  scene = new SoundScene();
  ({ all, webs, hint, uplink, refusals, refused, clock, network, sound } = scene);
  playing = () => scene.playing();
});

afterEach(() => sound.stop('here'));

/** A network that lets no call through, and a stream over HTTPS that plays instead. */
async function below(): Promise<FakeWeb> {
  await sound.start('audience');
  await clock.pass(2_000);
  const web = webs.at(-1) as FakeWeb;
  web.become('connected');
  await settled();
  return web;
}

test('two seconds after an answer that brings nothing the stream over HTTPS is there, and the call may still win', async () => {
  await sound.start('audience');
  await clock.pass(1_900);
  expect(webs).toHaveLength(0);
  const web = await below();
  expect([sound.state, sound.rung, sound.cause, hint.noted]).toEqual(['on', 'https', 'blocked', ['https']]);
  all.at(-1)?.become('connected');
  await clock.pass(1_100);
  expect([sound.rung, web.farewell, hint.noted.at(-1)]).toEqual(['call', 'here', 'call']);
});

test('a call that comes before the stream sounds leaves it unheard', async () => {
  await sound.start('audience');
  await clock.pass(2_000);
  all[0]?.become('connected');
  await settled();
  expect([webs[0]?.state, sound.rung, sound.state]).toEqual(['closed', 'call', 'on']);
});

test('where calls were blocked lately nobody waits for one', async () => {
  hint.low = true;
  await sound.start('audience');
  expect([webs.length, all.length]).toEqual([1, 1]);
});

test('from below a call is tried each minute, and what plays goes on until it carries sound', async () => {
  const web = await below();
  all[0]?.become('failed');
  await clock.pass(49_000);
  expect([all.length, sound.state, sound.rung]).toEqual([1, 'on', 'https']);
  await clock.pass(1_000);
  const call = all[1] as FakeSession;
  call.become('connected');
  await clock.pass(500);
  expect([sound.rung, web.state]).toEqual(['https', 'connected']);
  call.heard = true;
  await clock.pass(20);
  expect([sound.rung, sound.state, web.farewell]).toEqual(['call', 'on', 'here']);
});

test('a call that falls silent for good is followed by the stream within a second, once somebody is heard there', async () => {
  const call = await playing();
  call.become('lost');
  await clock.pass(500);
  const web = webs[0] as FakeWeb;
  web.become('connected');
  await settled();
  // Silence also comes from a relay that stands still.
  expect([sound.state, call.silenced]).toEqual(['reconnecting', true]);
  web.heard = true;
  await clock.pass(500);
  expect([sound.state, sound.rung, sound.cause]).toEqual(['on', 'https', 'broke']);
});

test('in a silent room a new call that the relay answers and the network blocks says what is wrong', async () => {
  const call = await playing();
  call.become('lost');
  await clock.pass(500);
  webs[0]?.become('connected');
  await settled();
  call.become('failed');
  await clock.pass(4_000);
  expect([all.length, sound.state, sound.cause]).toEqual([2, 'on', 'blocked']);
});

test('a call that comes back by itself takes the stream’s place', async () => {
  const call = await playing();
  call.become('lost');
  await clock.pass(500);
  webs[0]?.become('connected');
  await settled();
  call.become('connected');
  await settled();
  expect([sound.rung, sound.state, call.silenced, webs[0]?.farewell]).toEqual(['call', 'on', false, 'here']);
});

test('another wish is another stream, and what plays goes on until that one sounds', async () => {
  const web = await below();
  await sound.change();
  expect([webs.length, web.state]).toEqual([2, 'connected']);
  webs[1]?.become('connected');
  await settled();
  expect([web.state, sound.state]).toEqual(['closed', 'on']);
});

test('on stage below the voice goes up another way, until a call carries it or the stage is left', async () => {
  await below();
  await sound.start('stage', { permit: 's', path: '/whip/room00000001' });
  webs.at(-1)?.become('connected');
  await settled();
  expect(uplink.at(-1)).toBe('up');
  all.at(-1)?.become('connected');
  await settled();
  expect([uplink.at(-1), sound.rung]).toEqual(['down', 'call']);
  all.at(-1)?.become('lost');
  await clock.pass(500);
  webs.at(-1)?.become('connected');
  await settled();
  expect(uplink.at(-1)).toBe('up');
  await sound.start('audience');
  expect(uplink.at(-1)).toBe('down');
});

test('a stream that is refused because the seat is over ends the asking', async () => {
  const web = await below();
  web.fails(new Refusal(403, 'REMOVED'));
  expect(refused).toEqual(['REMOVED']);
});

test('a hall without room for calls is heard over HTTPS', async () => {
  refusals.push(new Refusal(503, 'NO_RELAY'));
  await sound.start('audience');
  webs[0]?.become('connected');
  await settled();
  expect([sound.state, sound.rung, sound.cause, hint.noted]).toEqual(['on', 'https', 'full', []]);
});

test('who wants nothing but text has no session, is left alone, and hears again when they say so', async () => {
  const call = await playing();
  sound.choose('text');
  await clock.pass(120_000);
  expect([call.farewell, sound.state, sound.rung, all.length, webs.length]).toEqual(['here', 'text', 'text', 1, 0]);
  sound.choose('auto');
  await settled();
  all[1]?.become('connected');
  await settled();
  expect([sound.state, sound.rung]).toEqual(['on', 'call']);
});

test('who is brought on stage hears it, whatever was chosen before', async () => {
  await playing();
  sound.choose('text');
  await sound.start('stage', { permit: 's', path: '/whip/room00000001' });
  all[1]?.become('connected');
  await settled();
  expect([sound.state, sound.chosen]).toEqual(['on', 'auto']);
});

test('a network that comes back is tried for a call at once, and what was known of it is forgotten', async () => {
  await below();
  network.comesBack();
  await settled();
  expect([all.length, hint.noted.at(-1), sound.state]).toEqual([2, 'forgotten', 'on']);
});

test('who left hears nothing more of a stream that was on its way', async () => {
  hint.low = true;
  await sound.start('audience');
  sound.stop('here');
  webs[0]?.become('connected');
  await clock.pass(60_000);
  expect([sound.state, webs.length, hint.noted]).toEqual(['closed', 1, []]);
});

test('text alone is what a reload comes back to, until sound is chosen or the stage calls', async () => {
  sound.choose('text');
  sound.choose('auto');
  expect(scene.silences).toEqual([true, false]);

  const later = new SoundScene(true);
  await later.sound.start('audience');
  expect([later.sound.state, later.sound.rung, later.sound.chosen, later.all.length, later.webs.length]).toEqual(['text', 'text', 'text', 0, 0]);
  await later.sound.start('stage');
  expect([later.sound.chosen, later.silences, later.all.length]).toEqual(['auto', [false], 1]);
  later.sound.stop('here');
});
