// The moderator's queue: asked for together, looked at aloud, and whose hand it was is remembered.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { HandSchema } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { FakeClock } from '../testing/clock.ts';
import { person } from './fixtures.ts';
import { HandQueue } from './queue.svelte.ts';

const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
let clock: FakeClock;
const hand = create(HandSchema, { person: person('omar00000001') });
/** A server with a queue. */
class FakeSource {
  hands = [hand];
  lists = 0;
  looks = 0;
  list = async (): Promise<(typeof hand)[]> => (this.lists++, this.hands);
  attend = async (): Promise<void> => void this.looks++;
}
let source: FakeSource;
let queue: HandQueue;

beforeEach(() => {
  vi.stubGlobal('document', page);
  source = new FakeSource();
  page.visibilityState = 'visible';
  clock = new FakeClock();
  queue = new HandQueue(source, clock);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a hundred hands at once are one question', async () => {
  for (let n = 0; n < 100; n++) queue.refresh();
  await clock.pass(1_000);
  expect(source.lists).toBe(1);
  expect(queue.hands).toEqual([hand]);
});

test('who looks says so at once and goes on saying so until they look away', async () => {
  const away = queue.look();
  expect(source.looks).toBe(1);
  await clock.pass(20_000);
  expect(source.looks).toBe(3);
  away();
  await clock.pass(60_000);
  expect(source.looks).toBe(3);
});

test('a tab in the background does not look', async () => {
  page.visibilityState = 'hidden';
  queue.look();
  await clock.pass(60_000);
  expect(source.looks).toBe(0);
});

test('whose hand fell has a name although it is no longer in the queue', async () => {
  queue.refresh();
  await clock.pass(1_000);
  source.hands = [];
  queue.refresh();
  await clock.pass(1_000);
  expect(queue.hands).toEqual([]);
  expect(queue.nameOf('omar00000001')).toBe('omar');
});

test('an answer that comes after the room was left changes nothing', async () => {
  queue.refresh();
  queue.close();
  await clock.pass(1_000);
  expect(queue.hands).toEqual([]);
});
