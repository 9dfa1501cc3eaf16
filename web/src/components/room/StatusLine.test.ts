// @vitest-environment happy-dom
// The one calm line at the top: one thing at a time, the worst first.
import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Role, RoomSchema, RoomState } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import en from '../../i18n/en.json';
import { event, me, seat, view } from '../../room/fixtures.ts';
import type { LiveRoom } from '../../room/live.svelte.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import StatusLine from './StatusLine.svelte';

let scene: Scene;
let retried: number;

beforeEach(() => {
  scene = new Scene();
  retried = 0;
  Object.assign(scene.sound, { state: 'on', retry: () => void retried++ });
});
afterEach(() => scene.strike());

function line(room: LiveRoom): Shown {
  if (!room.view) throw new Error('a room without a view has no line');
  return scene.show(StatusLine, { room, view: room.view });
}

const held = create(RoomSchema, { roomId: 'room00000001', state: RoomState.HELD });

test('where nothing is wrong nothing is said', () => {
  expect(line(scene.room()).text).toBe('');
});

test('a network that blocks calls is said before a room that waits, and can be tried again', async () => {
  Object.assign(scene.sound, { state: 'blocked' });
  const page = line(scene.room(view({}, { room: held })));
  await page.press('Try again');
  expect([page.root.querySelectorAll('.line').length, retried]).toEqual([1, 1]);
});

test('a sound that is lost is said to be tried again, and nothing of a hall that is full', () => {
  Object.assign(scene.sound, { state: 'reconnecting' });
  expect(line(scene.room()).text).toBe(en['sound.lost']);
});

test('a stream that is away is said although the sound is well', () => {
  const room = scene.room(view({}, { room: held }));
  room.feed.stale = true;
  const away = line(room).text;
  room.feed.stale = false;
  const back = line(room).text;
  expect(away).not.toBe(back);
  expect(back).not.toBe('');
});

test('a server that stands still is said otherwise than a connection that is lost', () => {
  const room = scene.room();
  Object.assign(room.feed, { stale: true, quiet: true });
  expect(line(room).text).toBe(en['room.quiet']);
});

test('a refused microphone concerns who is on stage, nobody else', () => {
  scene.microphone.state = 'denied';
  expect(line(scene.room()).text).toBe('');
  expect(line(scene.room(view({ role: Role.SPEAKER }, { stage: [seat(me)] }))).text).not.toBe('');
});

test('what happened to the person is said with the name of who did it', () => {
  const muted = seat(me, Role.SPEAKER, { muted: true, mutedByModerator: true });
  const room = scene.room(view({ role: Role.SPEAKER }, { stage: [seat('lina00000001', Role.MODERATOR), seat(me)] }));
  room.feed.take(event(8n, { case: 'stageSeatChanged', value: { seat: muted, byUserId: 'lina00000001' } }));
  expect(line(room).get('notice').textContent).toContain('lina');
});

test('a browser that wants a tap first gets one large button', async () => {
  let taps = 0;
  Object.assign(scene.sound, { state: 'tap', tapped: () => void taps++ });
  await line(scene.room()).press('tap-to-hear');
  expect(taps).toBe(1);
});

test('who chose nothing but text can turn the sound on again', async () => {
  Object.assign(scene.sound, { state: 'text', rung: 'text', chosen: 'text' });
  const page = line(scene.room());
  expect(page.text).toContain(en['sound.textOnly']);
  await page.press('sound-on');
  expect(scene.sound.chosen).toBe('auto');
});
