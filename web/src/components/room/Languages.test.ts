// @vitest-environment happy-dom
// The languages of a room: what is heard is said, and one tap changes it.
import { create } from '@bufbuild/protobuf';
import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BoothSchema } from '../../gen/majlis/room_directory/v1/booth_pb.ts';
import { BoothService } from '../../gen/majlis/room_directory/v1/booth_service_pb.ts';
import { Role, type StageSeat } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import en from '../../i18n/en.json';
import { event, me, person, seat, view } from '../../room/fixtures.ts';
import type { LiveRoom } from '../../room/live.svelte.ts';
import { settled } from '../../testing/clock.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import Languages from './Languages.svelte';
import OfferSheet from './OfferSheet.svelte';

let scene: Scene;
let room: LiveRoom;
const anna = 'anna00000001';
const russian = seat('ivan00000001', Role.SPEAKER, { speaks: 'ru' });

beforeEach(() => {
  scene = new Scene();
  scene.understands = ['ar'];
});
afterEach(() => scene.strike());

function shown(stage: StageSeat[], role = Role.LISTENER, muted = false): Shown {
  const booth = create(BoothSchema, { language: 'ar', activeUserId: anna, seats: [{ person: person(anna), member: 5, connected: true, muted }] });
  const now = { ...view({ role }, { stage }), booths: [booth] };
  room = scene.room(now);
  return scene.show(Languages, { room, view: now });
}

test('nobody has to choose: what is heard by what one understands is said', () => {
  const page = shown([russian]);
  expect(page.get('heard-now').textContent?.replace(/[\u2068\u2069]/g, '')).toBe('You hear anna interpret into Arabic');
  expect(scene.sound.changes).toBe(0);
});

test('one tap hears the floor, another one the booth, another one leaves it to the room again', async () => {
  const page = shown([russian]);
  for (const [name, choice] of [['listen-floor', 'floor'], ['listen-ar', 'ar'], ['listen-auto', 'auto']] as const) {
    page.get(name).querySelector('input')?.click();
    await settled();
    flushSync();
    expect(room.listening.choice).toBe(choice);
  }
  expect(scene.sound.changes).toBe(3);
});

test('a booth that was chosen and is closed leaves its listener to the room again, with sound', async () => {
  shown([russian]);
  await room.hear('ar');
  room.feed.take(event(8n, { case: 'boothClosed', value: { language: 'ar' } }));
  await settled();
  expect([room.listening.choice, scene.sound.changes]).toEqual(['auto', 2]);
});

test('people on stage see who interprets and choose no channel', () => {
  const page = shown([russian, seat(me)], Role.SPEAKER);
  expect([page.find('heard-now'), page.get('language-booth').textContent?.includes('anna')]).toEqual([null, true]);
});

test('an offered seat in a booth is worded as one, with whom it is heard by', () => {
  const now = view({}, { stage: [seat('lina00000001', Role.MODERATOR)] });
  room = scene.room(now);
  const offer = { offerId: 'offer0000001', userId: me, byUserId: 'lina00000001', language: 'ru' };
  const page = scene.show(OfferSheet, { room, offer: offer as never, left: 20_000 });
  expect(page.text).toContain('You are invited to interpret: Russian');
  expect(page.text).not.toContain(en['offer.text'].split('{{name}}')[1]);
  expect(page.buttons).toContain(en['offer.boothAccept']);
});

test('whoever hears nothing because the interpreter is muted is told that', () => {
  const page = shown([russian], Role.LISTENER, true);
  expect(page.get('heard-now').textContent?.replace(/[\u2068\u2069]/g, '')).toBe('anna interprets into Arabic; the microphone is off just now');
});

test('in a rehearsal a listener, who hears nothing, is not told that they hear something', () => {
  const now = { ...view({}, { stage: [russian] }), booths: [create(BoothSchema, { language: 'ar' })] };
  now.room.rehearsal = true;
  expect(scene.show(Languages, { room: scene.room(now), view: now }).get('heard-now').textContent).toBe('');
});

test('whoever understands nothing of what is spoken, and has no booth, is told what is spoken', () => {
  scene.understands = ['de'];
  expect(shown([russian]).get('heard-now').textContent?.replace(/[\u2068\u2069]/g, '')).toBe('On stage: Russian. Nobody interprets into a language of yours');
});

test('who moderates sees how many hear each booth, always or in turn with the floor', async () => {
  scene = new Scene((router) => router.service(BoothService, { listChannels: () => ({ channels: [{ channel: { name: 'floor' }, listeners: 3 }, { channel: { name: 'ar' }, listeners: 2 }, { channel: { name: 'ar-en' }, listeners: 5 }] }) }));
  const page = shown([russian, seat(me, Role.MODERATOR)], Role.MODERATOR, true);
  await scene.clock.pass(5_000);
  expect([page.get('pill-listeners').textContent, page.get('language-booth').dataset['state']]).toEqual(['7 listeners7', 'muted']);
});
