// The moderator's queue: as the stream tells it, looked at aloud, and whose hand it was is remembered.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { HandSchema, type Hand } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { FakeClock } from '../testing/clock.ts';
import { event, person } from './fixtures.ts';
import { HandQueue } from './queue.svelte.ts';

const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
let clock: FakeClock;
let attended: number;
let queue: HandQueue;

function hand(userId: string, question = ''): Hand {
  return create(HandSchema, { person: person(userId), question });
}

function raised(userId: string, position: number, question = ''): boolean {
  return queue.take(event(7n, { case: 'handRaised', value: { hand: hand(userId, question), position } }));
}

function lowered(userId: string): void {
  queue.take(event(7n, { case: 'handLowered', value: { userId } }));
}

const people = (): (string | undefined)[] => queue.hands.map((each) => each.person?.userId);

beforeEach(() => {
  vi.stubGlobal('document', page);
  page.visibilityState = 'visible';
  clock = new FakeClock();
  attended = 0;
  queue = new HandQueue(async () => attended++, clock);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test('the queue is what the stream told last, and each change after it', () => {
  raised('sami00000001', 1);
  queue.take(event(7n, { case: 'handQueue', value: { hands: [hand('omar00000001'), hand('lina00000001')] } }));
  expect(people()).toEqual(['omar00000001', 'lina00000001']);
  raised('sami00000001', 3);
  lowered('omar00000001');
  expect(people()).toEqual(['lina00000001', 'sami00000001']);
  lowered('');
  expect(people()).toEqual([]);
});

test('a hand that is taken up again goes back to its place, and one raised again keeps its own with the new question', () => {
  queue.take(event(7n, { case: 'handQueue', value: { hands: [hand('omar00000001'), hand('lina00000001')] } }));
  expect(raised('sami00000001', 2)).toBe(true);
  expect(people()).toEqual(['omar00000001', 'sami00000001', 'lina00000001']);
  expect(raised('omar00000001', 1, 'And why?')).toBe(false);
  expect([people()[0], queue.hands[0]?.question]).toEqual(['omar00000001', 'And why?']);
});

test('who looks says so at once and goes on saying so until they look away', async () => {
  const away = queue.look();
  expect(attended).toBe(1);
  await clock.pass(20_000);
  expect(attended).toBe(3);
  away();
  await clock.pass(60_000);
  expect(attended).toBe(3);
});

test('a tab in the background does not look', async () => {
  page.visibilityState = 'hidden';
  queue.look();
  await clock.pass(60_000);
  expect(attended).toBe(0);
});

test('whose hand fell has a name although it is no longer in the queue', () => {
  raised('omar00000001', 1);
  lowered('omar00000001');
  expect(people()).toEqual([]);
  expect(queue.nameOf('omar00000001')).toBe('omar');
});
