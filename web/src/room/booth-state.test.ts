// What a booth's listeners hear, and where moderators have to look.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { BoothSchema, type Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { boothState, notFollowed, partnersIn } from './booth-state.ts';
import { me, person, seat, start, view } from './fixtures.ts';
import { needsBooth, notUnderstood } from './hearing.ts';
import type { RoomView } from './reducer.ts';

const vera = 'vera00000001';
const booth = (more: MessageInitShape<typeof BoothSchema> = {}, muted = false, connected = true): Booth =>
  create(BoothSchema, { language: 'ar', activeUserId: me, seats: [{ person: person(me), connected: true, muted }, { person: person(vera), connected }], ...more });

test('a booth is heard, or it is plain why not', () => {
  const silentSince = timestampFromMs(start);
  const states = [booth(), booth({ activeUserId: '', seats: [] }), booth({ activeUserId: '' }), booth({}, true), booth({ silentSince }), booth({ silentSince }, true)];
  expect(states.map(boothState)).toEqual(['heard', 'empty', 'away', 'muted', 'silent', 'muted']);
});

test('signs reach partners who are there, not oneself and not who is gone', () => {
  expect([partnersIn(booth(), me).length, partnersIn(booth({}, false, false), me).length]).toEqual([1, 0]);
});

function spoken(speaks: string, language: string, ...booths: string[]): RoomView {
  const now = { ...view({}, { stage: [seat('omar00000001', Role.SPEAKER, { speaks })] }), booths: booths.map((one) => create(BoothSchema, { language: one })) };
  now.room.language = language;
  return now;
}

test('who speaks what most here do not follow is found: neither the room’s language, nor is there a booth into it', () => {
  const found = (...said: Parameters<typeof spoken>): number => notFollowed(spoken(...said)).length;
  expect([found('ar', 'en', 'ar'), found('en', 'en', 'ar'), found('ar', 'en', 'ar', 'en'), found('ar', 'en'), found('', 'en', 'ar')]).toEqual([1, 0, 0, 0, 0]);
  expect([needsBooth(spoken('en', 'en', 'ar'), ['ar-EG']), needsBooth(spoken('en', 'en', 'ar'), ['ar', 'en']), needsBooth(spoken('en', 'en', 'en'), ['ar'])]).toEqual(['ar', null, null]);
});

test('a listener whose languages have no booth is told what is spoken', () => {
  expect([notUnderstood(spoken('ar', 'en', 'ru'), ['de']), notUnderstood(spoken('ar', 'en', 'de'), ['de']), notUnderstood(spoken('de', 'en', 'ru'), ['de'])]).toEqual([['ar'], [], []]);
});
