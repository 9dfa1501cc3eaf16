// Places before full rooms: kept over a reload, gone back to while they last, given up with the sign-in.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock, settled } from '../testing/clock.ts';
import { KeptPlaces, together } from './kept-places.svelte.ts';

let stored: string | null;
let noted: string | null;
let me: string;
let left: string[];
let time: number;
let answer: () => Promise<unknown>;

const places = (): KeptPlaces =>
  new KeptPlaces({
    recall: () => stored,
    keep: (text) => void (stored = text),
    recallAll: () => noted,
    keepAll: (text) => void (noted = text),
    me: () => me,
    leaveLine: (room, ticket) => (left.push(`${room} ${ticket}`), answer()),
    clock,
    now: () => time,
  });
let clock: FakeClock;
/** How often it was forgotten what was chosen in rooms. */
let forgotten: number;
const choices = { forget: () => void forgotten++ };

beforeEach(() => {
  [stored, noted, me, left, time, clock] = [null, null, 'lina', [], 1_000, new FakeClock()];
  answer = async () => undefined;
  forgotten = 0;
});

test('a page that is loaded again has the ticket, and knows until when it is good', () => {
  places().box('room1', 'key1').put('ticket1', 120_000);
  const again = places();
  expect(again.box('room1', 'key1').get()).toBe('ticket1');
  expect(again.all).toEqual([{ room: 'room1', key: 'key1', ticket: 'ticket1', until: 121_000 }]);
  again.box('room1', 'key1').put('');
  expect([again.all, stored]).toEqual([[], null]);
});

test.each(['{', '{"a":1}', '[null,{"room":1}]'])('what nobody here wrote is no place: %s', (text) => {
  stored = text;
  expect(places().all).toEqual([]);
});

test('who signs out gives every place up, as a seat, before the sign-in ends', async () => {
  const kept = places();
  kept.box('room1', '').put('ticket1', 120_000);
  kept.box('room2', '').put('ticket2', 120_000);
  const companion = together({ leave: async () => true, letGo: async () => undefined }, kept, choices);
  expect(await companion.leave()).toBe(true);
  expect([left, kept.all, stored, forgotten]).toEqual([['room1 ticket1', 'room2 ticket2'], [], null, 1]);
});

test('who thinks better of signing out keeps the place', async () => {
  const kept = places();
  kept.box('room1', '').put('ticket1', 120_000);
  expect(await together({ leave: async () => false, letGo: async () => undefined }, kept, choices).leave()).toBe(false);
  expect([left, kept.all.length, forgotten]).toEqual([[], 1, 0]);
});

test('another tab that signs this person out ends the waiting here too', async () => {
  const kept = places();
  kept.box('room1', '').put('ticket1', 120_000);
  await together({ leave: async () => true, letGo: async () => undefined }, kept, choices).letGo();
  expect([left, forgotten]).toEqual([['room1 ticket1'], 1]);
});

test('a server that does not answer holds nobody up', async () => {
  answer = () => new Promise(() => undefined);
  const kept = places();
  kept.box('room1', '').put('ticket1', 120_000);
  let done = false;
  void kept.giveUp().then(() => (done = true));
  await clock.pass(2_000);
  await settled();
  expect(done).toBe(true);
});

test('a place that is given while the person signs out is given up as well', async () => {
  const kept = places();
  const box = kept.box('room1', '');
  await kept.giveUp();
  box.put('ticket1', 120_000);
  expect([left, kept.all]).toEqual([['room1 ticket1'], []]);
});

/** The tab is closed: what was its own is gone. */
function tabIsClosed(): KeptPlaces {
  stored = null;
  return places();
}

test('a tab that is opened anew knows of the place, and knocks as one that has no ticket', () => {
  places().box('room1', 'key1').put('ticket1', 120_000);
  const again = tabIsClosed();
  expect(again.all).toEqual([{ room: 'room1', key: 'key1', ticket: '', until: 121_000 }]);
  expect(again.box('room1', 'key1').get()).toBe('');
  again.box('room1', 'key1').put('ticket2', 120_000);
  expect(again.all.map(({ ticket }) => ticket)).toEqual(['ticket2']);
  again.box('room1', 'key1').put('');
  expect([again.all, noted]).toEqual([[], null]);
});

test('a place that another tab took stands for all tabs, until that gives it up or nobody says a word', () => {
  const first = places();
  const box = first.box('room1', 'key1');
  box.put('ticket1', 120_000);
  box.lose();
  expect([box.get(), box.stands]).toEqual(['', true]);
  const second = tabIsClosed();
  second.box('room1', 'key1').put('');
  expect(box.stands).toBe(false);
});

test('no ticket is known to other tabs', () => {
  places().box('room1', '').put('ticket1', 120_000);
  expect(noted).not.toContain('ticket1');
});

test('a place of somebody else who used this browser is nobody’s here', () => {
  places().box('room1', '').put('ticket1', 120_000);
  me = 'omar';
  expect(tabIsClosed().all).toEqual([]);
});

test('a tab that is open hears of the place of another when it looks', () => {
  const here = places();
  tabIsClosed().box('room1', '').put('ticket1', 120_000);
  here.look();
  expect(here.all.map(({ room }) => room)).toEqual(['room1']);
});

test('who signs out gives the place of a closed tab up as well', async () => {
  places().box('room1', '').put('ticket1', 120_000);
  const again = tabIsClosed();
  await again.giveUp();
  expect([left, again.all, noted]).toEqual([['room1 '], [], null]);
});

test('what ended long ago is not noted for ever', () => {
  places().box('room1', '').put('ticket1', 120_000);
  const again = tabIsClosed();
  time += 200_000;
  again.box('room2', '').put('ticket2', 120_000);
  expect(noted).not.toContain('room1');
});
