// In which language somebody hears a room: the rule by which relays choose, told by the page.
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { BoothSchema, type Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { Role, type StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { hearingOf } from './booth-ear.ts';
import { me, person, seat, view } from './fixtures.ts';
import { heardBy, interpretedOnStage, needsInterpreter, understood, wish } from './hearing.ts';
import type { RoomView } from './reducer.ts';

const speaker = (userId: string, speaks: string): StageSeat => seat(userId, Role.SPEAKER, { speaks });
const interpreter = (userId: string, language: string): StageSeat => seat(userId, Role.INTERPRETER, { language, speaks: language });

function booth(language: string, active = '', hears = ''): Booth {
  const people = active ? [{ person: person(active), member: active.length, connected: true, hears }] : [];
  return create(BoothSchema, { language, activeUserId: active, seats: people });
}

function hall(stage: StageSeat[], ...booths: Booth[]): RoomView {
  return { ...view({}, { stage }), booths };
}

test('what somebody understands is in their profile, else in their browser, primary tags once each', () => {
  expect(understood(['ar', 'en'], ['ru'])).toEqual(['ar', 'en']);
  expect(understood([], ['en-GB', 'en', 'ru-RU', 'x'])).toEqual(['en', 'ru']);
  expect(understood(['ar', 'en', 'ru', 'fr', 'de', 'es', 'it'], [])).toHaveLength(6);
});

test('a choice by hand goes before what one understands', () => {
  expect(wish('auto', ['ar'])).toEqual({ language: '', understands: ['ar'], thrift: false });
  expect(wish('floor', ['ar'])).toEqual({ language: 'floor', understands: [], thrift: false });
  expect(wish('ru', ['ar'])).toEqual({ language: 'ru', understands: [], thrift: false });
});

test('an Arabic listener hears the booth while Russian is spoken, and the floor where Arabic is', () => {
  const omar = speaker('omar00000001', 'ar');
  const anna = speaker('anna0000001', 'ru');
  const arabic = booth('ar', 'lina00001');
  expect(heardBy(hall([anna], arabic), 'auto', ['ar'])).toMatchObject({ from: 'booth', interpreter: { person: { userId: 'lina00001' } } });
  expect(heardBy(hall([anna, omar], arabic), 'auto', ['ar'])).toMatchObject({ from: 'turns', plain: ['ar'] });
  expect(heardBy(hall([omar], arabic), 'auto', ['ar']).from).toBe('floor');
  expect(heardBy(hall([anna, omar]), 'auto', ['ar']).from).toBe('floor');
  expect(heardBy(hall([anna, omar], arabic), 'auto', ['ru', 'ar']).from).toBe('floor');
});

test('by hand the floor is the floor, and a booth is that booth whoever speaks', () => {
  const omar = speaker('omar00000001', 'ar');
  expect(heardBy(hall([speaker('anna0000001', 'ru')], booth('ar')), 'floor', ['ar']).from).toBe('floor');
  expect(heardBy(hall([omar], booth('ar')), 'ar', [])).toMatchObject({ from: 'booth', interpreter: undefined });
  expect(heardBy(hall([omar]), 'ar', []).from).toBe('floor');
});

test('on stage the raw voice one does not understand goes below its interpreter, and no other', () => {
  const stage = [speaker('omar00000001', 'ar'), speaker('anna0000001', 'ru'), interpreter('lina00001', 'ar')];
  const { interpreters, below } = interpretedOnStage(hall(stage, booth('ar', 'lina00001')), ['ar']);
  expect([[...interpreters], [...below]]).toEqual([[9], [11]]);
  expect(interpretedOnStage(hall(stage, booth('ar')), ['ar']).below.size).toBe(0);
});

test('the ear of a stage without booths, and of the audience, is none', () => {
  const own = { understands: ['ar'] };
  expect(hearingOf(() => hall([seat(me)]), me, own)).toBeNull();
  expect(hearingOf(() => hall([], booth('ar')), me, own)).toBeNull();
});

test('in a booth the partner, the booth that is interpreted from, and the floor are told apart', () => {
  const mine = create(BoothSchema, { language: 'ru', activeUserId: me, seats: [{ person: person(me), member: 1, hears: 'en' }, { person: person('vera00000001'), member: 2 }] });
  const shown = hall([seat(me, Role.INTERPRETER, { language: 'ru' })], mine, booth('en', 'kate0001'));
  const part = hearingOf(() => shown, me, { understands: ['ru'] })?.();
  expect([2, 8, 12].map((member) => part?.(member).source)).toEqual(['partner', 'relay', 'floor']);
});

test('a hand in a language without a booth needs an interpreter, one in the room’s own does not', () => {
  const shown = hall([], booth('ar'));
  shown.room.language = 'en';
  expect(['ar', 'en', 'ru', 'fr-CA'].map((language) => needsInterpreter(shown, [language]))).toEqual([null, null, 'ru', 'fr']);
  expect(needsInterpreter(shown, [])).toBeNull();
});
