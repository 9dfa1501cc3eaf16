// Places before full rooms: kept over a reload, gone back to while they last, given up with the sign-in.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock, settled } from '../testing/clock.ts';
import { KeptPlaces, together } from './kept-places.svelte.ts';

let stored: string | null;
let left: string[];
let time: number;
let answer: () => Promise<unknown>;

const places = (): KeptPlaces =>
  new KeptPlaces({
    recall: () => stored,
    keep: (text) => void (stored = text),
    leaveLine: (room, ticket) => (left.push(`${room} ${ticket}`), answer()),
    clock,
    now: () => time,
  });
let clock: FakeClock;

beforeEach(() => {
  [stored, left, time, clock] = [null, [], 1_000, new FakeClock()];
  answer = async () => undefined;
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
  const companion = together({ leave: async () => true, letGo: async () => undefined }, kept);
  expect(await companion.leave()).toBe(true);
  expect([left, kept.all, stored]).toEqual([['room1 ticket1', 'room2 ticket2'], [], null]);
});

test('who thinks better of signing out keeps the place', async () => {
  const kept = places();
  kept.box('room1', '').put('ticket1', 120_000);
  expect(await together({ leave: async () => false, letGo: async () => undefined }, kept).leave()).toBe(false);
  expect([left, kept.all.length]).toEqual([[], 1]);
});

test('another tab that signs this person out ends the waiting here too', async () => {
  const kept = places();
  kept.box('room1', '').put('ticket1', 120_000);
  await together({ leave: async () => true, letGo: async () => undefined }, kept).letGo();
  expect(left).toEqual(['room1 ticket1']);
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
