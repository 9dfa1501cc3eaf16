// What somebody chose by hand outlives a reload of their tab, and nothing else.
import { expect, test } from 'vitest';
import { Choices } from './choices.ts';

let stored: string | null = null;
let who = 'sami00000001';
const tab = (): Choices => new Choices({ recall: () => stored, keep: (text) => void (stored = text), me: () => who });

test('a choice is there after a reload, each room has its own', () => {
  tab().set('room1', { hears: 'ar' });
  tab().set('room2', { reads: 'ru', reading: true });
  expect([tab().of('room1'), tab().of('room2'), tab().of('room3').hears]).toEqual([
    { hears: 'ar', reads: '', reading: false, mute: false },
    { hears: 'auto', reads: 'ru', reading: true, mute: false },
    'auto',
  ]);
});

test('whoever signs in after somebody else hears by themselves, and so does who signed out', () => {
  tab().set('room1', { hears: 'ar' });
  who = 'omar00000001';
  expect(tab().of('room1').hears).toBe('auto');
  who = 'sami00000001';
  tab().forget();
  expect([tab().of('room1').hears, stored]).toEqual(['auto', null]);
});

test('the rooms of long ago make way', () => {
  for (let n = 0; n < 30; n++) tab().set(`room${n}`, { hears: 'floor' });
  expect([tab().of('room9').hears, tab().of('room10').hears]).toEqual(['auto', 'floor']);
});

test.each(['{', '[]', 'null', '{"who":"sami00000001","rooms":[["room1",{"hears":"","reads":"","reading":true,"mute":false}],["room1",null],7]}', '{"who":"sami00000001","rooms":[["room1",{"hears":"<b>","reads":"","reading":false,"mute":false}]]}'])(
  'what nobody here wrote is no choice: %s',
  (text) => {
    stored = text;
    expect(tab().of('room1').hears).toBe('auto');
  },
);
