// @vitest-environment happy-dom
// The page of a room: what stands there while one is not in it, and how one gets back.
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { PlaceSchema } from '../gen/majlis/room_directory/v1/room_pb.ts';
import en from '../i18n/en.json';
import { Refusal } from '../lib/refusal.ts';
import type { LiveRoom } from '../room/live.svelte.ts';
import type { Gone } from '../room/reducer.ts';
import { view } from '../room/fixtures.ts';
import { Scene, type Shown } from '../testing/page.ts';
import Room from './Room.svelte';

const id = 'room00000001';
let scene: Scene;
let opened: LiveRoom[];

beforeEach(() => {
  scene = new Scene();
  opened = [];
});
afterEach(() => scene.strike());

function page(prepare: (room: LiveRoom) => void): Shown {
  const rooms = {
    ...scene.rooms,
    openRoom: () => {
      const room = scene.room(null);
      prepare(room);
      opened.push(room);
      return room;
    },
  };
  return scene.show(Room, { id, key: '', rooms });
}

const refused = (refusal: unknown, waiting = false): Shown => page((room) => Object.assign(room.entry, { refusal, waiting }));
const retries = (shown: Shown): boolean => shown.buttons.includes('Try again');

test('a room that is full is said to be full, and is tried again by itself and by hand', async () => {
  const shown = refused(new Refusal(503, 'ROOM_FULL'), true);
  expect([shown.get('door').dataset['why'], retries(shown)]).toEqual(['ROOM_FULL', true]);
  await shown.press('Try again');
  expect(opened.length).toBe(2);
});

test('a refusal that stands offers no other try', () => {
  const heading = (shown: Shown): string => shown.root.querySelector('h1')?.textContent ?? '';
  const removed = refused(new Refusal(403, 'REMOVED'));
  const blocked = refused(new Refusal(403, 'BLOCKED'));
  const away = refused(new ConnectError('', Code.Unavailable));
  expect([removed, blocked, away].map(retries)).toEqual([false, false, true]);
  expect(new Set([removed, blocked, away].map(heading)).size).toBe(3);
});

test('a room that was over before one came in says so once, with its title where that may be told', () => {
  const error = new ConnectError('', Code.FailedPrecondition);
  error.details = [{ type: 'google.rpc.ErrorInfo', value: new Uint8Array(), debug: { reason: 'ROOM_ENDED', metadata: { title: 'Stars over Sanaa' } } }];
  expect(refused(error).get('door').textContent?.replace(/\s+/g, ' ').trim()).toBe(`Stars over Sanaa ${en['gone.ended']} ${en['gone.missed']} ${en['missing.home']}`);
});

test.each([
  ['waits', true, 'inLine.busy'],
  ['has no free seat', false, 'inLine.taken'],
] as const)('who waits before a server that %s is told that', (_, relaysBusy, said) => {
  const shown = page((room) => void (room.entry.place = create(PlaceSchema, { ticket: 'ticket', position: 2, waitingCount: 3, relaysBusy })));
  expect(shown.text).toContain(en[said]);
});

test('who waits for a relay may listen over the web instead; who waits for a seat may not', async () => {
  const place = create(PlaceSchema, { ticket: 'ticket', position: 2, waitingCount: 3, relaysBusy: true, listenOverHttps: true });
  const shown = page((room) => void (room.entry.place = place));
  await shown.press(en['inLine.web']);
  expect(opened[0]?.entry.overWeb).toBe(true);
  const chosen = page((room) => Object.assign(room.entry, { place, overWeb: true }));
  expect(chosen.text).toContain(en['inLine.webSoon']);
  const full = page((room) => void (room.entry.place = create(PlaceSchema, { ...place, listenOverHttps: false })));
  expect([chosen.buttons, full.buttons].map((each) => each.includes(en['inLine.web']))).toEqual([false, false]);
});

test.each([
  ['ended', false],
  ['removed', false],
  ['taken_over', true],
  ['left', true],
] as [Gone, boolean][])('a room that is over because of %s can be gone back to: %s', async (gone, back) => {
  const shown = page((room) => void (room.feed.view = { ...view(), gone }));
  expect(shown.get('gone').dataset['why']).toBe(gone);
  const primary = shown.root.querySelector<HTMLElement>('button');
  expect(primary !== null).toBe(back);
  primary?.click();
  expect(opened.length).toBe(back ? 2 : 1);
});

test('who leaves the page before the door opens is not let in behind their back', async () => {
  refused(new Refusal(503, 'ROOM_FULL'), true);
  await scene.strike();
  expect(opened[0]?.entry.waiting).toBe(false);
});
