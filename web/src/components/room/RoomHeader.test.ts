// @vitest-environment happy-dom
// The head of a room: a small sign while the listener's own relay spares, and never for the stage.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Role } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import en from '../../i18n/en.json';
import { event, me, seat, view } from '../../room/fixtures.ts';
import type { LiveRoom } from '../../room/live.svelte.ts';
import { Scene } from '../../testing/page.ts';
import RoomHeader from './RoomHeader.svelte';

let scene: Scene;

beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

function sign(room: LiveRoom, relayId: string): string {
  room.feed.take(event(7n, { case: 'streamStatus', value: { sparing: [{ relayId, ladderStep: 2 }] } }));
  if (!room.view) throw new Error('a room without a view has no head');
  const page = scene.show(RoomHeader, { room, view: room.view, onmenu: () => undefined });
  const status = page.get('spared');
  expect(status.getAttribute('role')).toBe('status');
  return status.textContent ?? '';
}

test('a listener whose relay spares sees it', () => {
  expect(sign(scene.room(), scene.sound.relay)).toBe('Slightly simpler sound while it is busy');
});

test('another relay that spares is nothing to see', () => {
  expect(sign(scene.room(), 'relay2')).toBe('');
});

test('who is on stage sees nothing of it', () => {
  expect(sign(scene.room(view({ role: Role.SPEAKER }, { stage: [seat(me)] })), scene.sound.relay)).toBe('');
});

test('a room in rehearsal is not called live', () => {
  const shown = view();
  shown.room.rehearsal = true;
  const page = scene.show(RoomHeader, { room: scene.room(shown), view: shown, onmenu: () => undefined });
  expect(page.get('standing').textContent).toContain(en['room.rehearsalShort']);
  expect(page.get('standing').dataset['live']).toBe('false');
});

test('a sound that does not come the best way is said in one sentence, politely', () => {
  const said = (more: object): string => {
    Object.assign(scene.sound, { state: 'on', ...more });
    const room = scene.room();
    const sign = scene.show(RoomHeader, { room, view: view(), onmenu: () => undefined }).get('rung');
    expect(sign.getAttribute('role')).toBe('status');
    return (sign.textContent ?? '').replace(/[\u2068\u2069]/g, '');
  };
  expect(said({ rung: 'https', behind: 2 })).toContain('listening over the web, 2 seconds behind');
  expect(said({ rung: 'call', way: 'tcp' })).toBe(en['sound.tcp']);
  expect(said({ rung: 'call', way: 'udp' })).toBe('');
});

test('a room that is open to the web says so to everybody, and how many hear it there', () => {
  const shown = view();
  const page = scene.show(RoomHeader, { room: scene.room(shown), view: shown, onmenu: () => undefined });
  expect(page.get('facts').textContent).not.toContain(en['web.sign']);
  shown.room.openToWeb = true;
  shown.room.webListenerCount = 120;
  const open = scene.show(RoomHeader, { room: scene.room(shown), view: shown, onmenu: () => undefined });
  expect(open.get('facts').textContent).toContain(en['web.sign']);
  expect(open.get('web-count').textContent).toBe('and 120 over the web');
});
