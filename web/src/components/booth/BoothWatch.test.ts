// @vitest-environment happy-dom
// Who moderates reads which booth nobody hears and why, and whom most here do not follow; nothing where all is well.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BoothSchema, type Booth } from '../../gen/majlis/room_directory/v1/booth_pb.ts';
import { Role } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import { me, person, seat, start, view } from '../../room/fixtures.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import BoothWatch from './BoothWatch.svelte';

const anna = 'anna00000001';
let scene: Scene;
let pressed: number;

beforeEach(() => {
  scene = new Scene();
  pressed = 0;
});
afterEach(() => scene.strike());

const booth = (language: string, more: Partial<Booth> = {}, muted = false): Booth =>
  Object.assign(create(BoothSchema, { language, activeUserId: anna, seats: [{ person: person(anna), connected: true, muted }] }), more);

function watch(...booths: Booth[]): Shown {
  const now = { ...view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR, { speaks: 'en' }), seat('omar00000001', Role.SPEAKER, { speaks: 'ar' })] }), booths };
  now.room.language = 'en';
  return scene.show(BoothWatch, { view: now, onbooths: () => void pressed++ });
}

test('where all is well there is nothing to read and nothing to press', () => {
  expect([watch(booth('ar'), booth('en')).text, scene.parts.toasts.list]).toEqual(['', []]);
});

test('every booth that nobody hears says why, and leads to the booths', async () => {
  const page = watch(booth('ar', { silentSince: timestampFromMs(start - 12_000) }), booth('ru', {}, true), booth('fr', { activeUserId: '', seats: [] }), booth('en', { activeUserId: '' }));
  expect([...page.root.querySelectorAll('p')].map((one) => one.textContent?.replace(/[\u2068\u2069]/g, '').replace(/\s+/g, ' ').trim())).toEqual([
    'Arabic. Nothing is heard from anna while the stage speaks. 0:12',
    'Russian. anna is on air with the microphone off: listeners hear nobody.',
    'French. Nobody sits there yet.',
    'English. Nobody who sits there is connected.',
  ]);
  await page.press('watch-booths');
  expect(pressed).toBe(1);
});

test('whoever speaks what there is no booth for is named', () => {
  expect(watch(booth('ar')).text).toContain('omar speaks Arabic: there is no booth into English');
});
