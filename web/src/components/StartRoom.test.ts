// @vitest-environment happy-dom
// Starting a room: its languages stand beside its title, and a rehearsal is one switch.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { flushSync } from 'svelte';
import { RoomService, type CreateRoomRequest } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import en from '../i18n/en.json';
import { settled } from '../testing/clock.ts';
import { Scene, type Shown } from '../testing/page.ts';
import StartRoom from './StartRoom.svelte';

let scene: Scene;
let made: CreateRoomRequest[];

beforeEach(() => {
  made = [];
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
  scene = new Scene((router) => router.service(RoomService, { createRoom: (request) => (made.push(request), {}) }));
});
afterEach(() => scene.strike());

async function choose(page: Shown, testid: string, value: string): Promise<void> {
  const field = page.get(testid) as HTMLSelectElement;
  field.value = value;
  field.dispatchEvent(new Event('change', { bubbles: true }));
  await settled();
  flushSync();
}

test('a room begins with the languages that are chosen, once each, its own among them for questions in others', async () => {
  const page = scene.show(StartRoom, { open: true });
  await page.type('room-title', 'Stars over Sanaa');
  expect(page.find('room-rehearsal')).toBeNull();
  await choose(page, 'room-languages', 'ar');
  await choose(page, 'room-languages', 'ru');
  await choose(page, 'room-languages', 'en');
  page.get('room-rehearsal').click();
  flushSync();
  await page.send();
  expect(made.map(({ language, languages, rehearsal }) => [language, languages, rehearsal])).toEqual([['en', ['ar', 'ru', 'en'], true]]);
});

test('the button says whether a rehearsal begins, and without languages there is none', async () => {
  const page = scene.show(StartRoom, { open: true });
  await page.type('room-title', 'Stars over Sanaa');
  expect(page.get('create-room').textContent).toContain(en['start.action']);
  await choose(page, 'room-languages', 'ar');
  page.get('room-rehearsal').click();
  flushSync();
  expect(page.get('create-room').textContent).toContain(en['start.rehearse']);
  page.root.querySelector<HTMLButtonElement>('.chip')?.click();
  flushSync();
  expect(page.get('create-room').textContent).toContain(en['start.action']);
  await page.send();
  expect(made.map(({ languages, rehearsal }) => [languages, rehearsal])).toEqual([[[], false]]);
});
