// @vitest-environment happy-dom
// Reading along: which captions there are is said, what the reader chose is kept, and who may not write reads why.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WatchCaptionsResponseSchema } from '../../gen/majlis/gateway/v1/caption_stream_service_pb.ts';
import { CaptionSchema, CaptionerSchema } from '../../gen/majlis/room_directory/v1/caption_pb.ts';
import { CaptionService } from '../../gen/majlis/room_directory/v1/caption_service_pb.ts';
import en from '../../i18n/en.json';
import { me, person, start, view } from '../../room/fixtures.ts';
import type { LiveRoom } from '../../room/live.svelte.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import Captions from './Captions.svelte';

let scene: Scene;
let asked: string[];
let room: LiveRoom;

beforeEach(() => {
  asked = [];
  scene = new Scene((router) =>
    router.service(CaptionService, {
      sendCaption: ({ text, final }) => (asked.push(`${final ? 'says' : 'begins'} ${text}`), {}),
      correctCaption: ({ text }) => (asked.push(`corrects to ${text}`), {}),
      hideCaption: ({ captionId }) => (asked.push(`removes ${captionId}`), {}),
    }),
  );
});
afterEach(() => scene.strike());

function captions(muted = false): Shown {
  const captioners = [create(CaptionerSchema, { person: person(me), languages: ['ar'], muted }), create(CaptionerSchema, { person: person('vera00000001'), languages: ['ru'] })];
  const shown = view({}, { captioners });
  room = scene.room(shown);
  room.read();
  return scene.show(Captions, { room, view: shown });
}

test('they open where one writes oneself, and each language says whether somebody writes it', () => {
  const page = captions();
  expect(scene.watched?.language).toBe('ar');
  expect([...page.root.querySelectorAll('option')].map((one) => one.textContent?.replace(/[\u2068\u2069]/g, ''))).toEqual(['As it is spoken: nobody writes now', 'Arabic', 'Russian']);
});

test('the reader’s language is kept, and so is that they read', () => {
  const page = captions();
  const choice = page.get('captions-language') as HTMLSelectElement;
  choice.value = 'ru';
  choice.dispatchEvent(new Event('change', { bubbles: true }));
  expect([scene.watched?.language, scene.parts.choices.of(room.id)]).toEqual(['ru', { hears: 'auto', reads: 'ru', reading: true, mute: false }]);
});

test('a line is written with Enter, corrected and removed by who wrote it', async () => {
  const page = captions();
  await page.type('caption-line', 'Good evening');
  await page.send();
  const caption = create(CaptionSchema, { captionId: 'c1', writerId: me, language: 'ar', text: 'Good evening', final: true, beganAt: timestampFromMs(start), changedAt: timestampFromMs(start) });
  scene.watched?.listener.told(create(WatchCaptionsResponseSchema, { captions: [caption] }));
  await page.press('correct-caption');
  await page.type('caption-right', 'Good evening, all');
  await page.send();
  await page.press('hide-caption');
  expect(asked).toEqual(['says Good evening', 'corrects to Good evening, all', 'removes c1']);
});

test('whom a moderator has stopped reads that, and writes nothing', () => {
  const page = captions(true);
  room.captions.choose('ar');
  flushSync();
  expect([page.find('caption-line'), page.get('captions-held').textContent]).toEqual([null, en['refused.CAPTIONER_MUTED']]);
});
