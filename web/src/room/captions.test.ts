// Captions as a page shows them: they grow, stay, are corrected and taken out, and the unfinished end by themselves.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { beforeEach, expect, test } from 'vitest';
import { WatchCaptionsResponseSchema } from '../gen/majlis/gateway/v1/caption_stream_service_pb.ts';
import { Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { CaptionSchema, CaptionerSchema, type Caption } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import { FakeClock } from '../testing/clock.ts';
import { captionLanguages, firstLanguage, mayWrite } from './captioning.ts';
import { Captions, type CaptionListener } from './captions.svelte.ts';
import type { Chosen } from './choices.ts';
import { me, person, seat, start, view } from './fixtures.ts';
import type { RoomView } from './reducer.ts';
import { Reading } from './reading.svelte.ts';

let clock: FakeClock;
let listener: CaptionListener | null;
let opened: string[];
let captions: Captions;
let kept: Partial<Chosen>[];

function caption(captionId: string, text: string, at: number, more: Partial<Caption> = {}): Caption {
  const base = create(CaptionSchema, { captionId, writerId: 'sami00000001', language: 'ar', text, beganAt: timestampFromMs(start + at), changedAt: timestampFromMs(start + at), final: true });
  return Object.assign(base, more);
}

const tell = (...all: Caption[]): void => listener?.told(create(WatchCaptionsResponseSchema, { captions: all }));
const texts = (): string[] => captions.all.map(({ text }) => text);

beforeEach(() => {
  clock = new FakeClock();
  [listener, opened, kept] = [null, [], []];
  captions = new Captions((language, hears) => {
    opened.push(language);
    listener = hears;
    return { close: () => void opened.push('closed') };
  }, clock, (chosen) => void kept.push(chosen));
  captions.show('ar');
});

test('captions stand in the order in which they began, and one that grows keeps its place', () => {
  tell(caption('b', 'two', 2_000, { final: false }), caption('a', 'one', 1_000));
  tell(caption('c', 'three', 3_000), caption('b', 'two and more', 2_000, { final: true, changedAt: timestampFromMs(start + 4_000) }));
  expect(texts()).toEqual(['one', 'two and more', 'three']);
});

test('what is older than what is shown changes nothing, what is hidden goes', () => {
  tell(caption('a', 'new', 1_000, { changedAt: timestampFromMs(start + 5_000) }));
  tell(caption('a', 'old', 1_000));
  expect(texts()).toEqual(['new']);
  tell(caption('a', '', 1_000, { hidden: true, changedAt: timestampFromMs(start + 6_000) }));
  expect(texts()).toEqual([]);
});

test('what its writer leaves unfinished is over after ten seconds', async () => {
  tell(caption('a', 'I was about to', 1_000, { final: false }), caption('b', 'This stays', 2_000));
  await clock.pass(10_000);
  expect(texts()).toEqual(['This stays']);
});

test('another language is another stream, and none is none', () => {
  tell(caption('a', 'one', 1_000));
  captions.choose('ru');
  expect([opened, texts()]).toEqual([['ar', 'closed', 'ru'], []]);
  listener?.connected(false);
  expect(captions.away).toBe(true);
  captions.hide();
  expect([opened.at(-1), captions.language, captions.away]).toEqual(['closed', '', false]);
  expect(kept).toEqual([{ reading: true }, { reads: 'ru', reading: true }, { reading: false }]);
});

test('who was let writes those languages unless muted, and begins with theirs', () => {
  const shown = { ...view(), captioners: [create(CaptionerSchema, { person: person(me), languages: ['ru'] }), create(CaptionerSchema, { person: person('vera00000001'), languages: ['ar', 'floor'], muted: true })] };
  expect([mayWrite(shown, me, 'ru'), mayWrite(shown, me, 'ar'), mayWrite(shown, 'vera00000001', 'ar')]).toEqual([true, false, false]);
  expect(captionLanguages(shown, 'fr')).toEqual(['floor', 'ru', 'ar', 'fr']);
  expect([firstLanguage(shown, me, ['ar']), firstLanguage(shown, 'omar00000001', ['en', 'ar']), firstLanguage(shown, 'omar00000001', ['en'])]).toEqual(['ru', 'ru', 'ru']);
});

test('captions begin with what somebody writes: what was chosen, one’s own languages, what is spoken, then any', () => {
  const writes = (...languages: string[]): RoomView => {
    const shown = view({}, { stage: [seat('lina00000001', Role.MODERATOR, { speaks: 'ru' })], captioners: [create(CaptionerSchema, { person: person('vera00000001'), languages }), create(CaptionerSchema, { person: person('ivan00000001'), languages: ['de'], muted: true })] });
    shown.room.language = 'en';
    return shown;
  };
  const first = (shown: RoomView, chosen = ''): string => firstLanguage(shown, me, ['de', 'ar', 'fr'], chosen);
  expect(first(writes('floor', 'fr', 'ar', 'sw'), 'sw')).toBe('sw');
  expect(first(writes('floor', 'fr', 'ar'), 'sw')).toBe('ar');
  expect(first(writes('sw', 'en', 'floor'))).toBe('floor');
  expect(first(writes('sw', 'en', 'ru'))).toBe('ru');
  expect(first(writes('sw', 'en'))).toBe('en');
  expect(first(writes('sw'))).toBe('sw');
  expect(first(writes())).toBe('floor');
});

test('how somebody reads is kept', () => {
  let kept: string | null = null;
  const parts = { recall: () => kept, keep: (text: string) => void (kept = text) };
  const first = new Reading(parts);
  first.grow();
  first.switchPlace();
  first.switchAloud();
  const second = new Reading(parts);
  expect([second.size, second.below, second.aloud]).toEqual(['middle', true, true]);
  second.grow();
  second.grow();
  expect(second.size).toBe('small');
});
