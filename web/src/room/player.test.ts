// Leaving a room, wherever one leaves from: the last moderator is asked, everybody else is silent at once.
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { FakeToasts } from '../testing/room.ts';
import type { LiveRoom } from './live.svelte.ts';
import { opensRooms, type OpenRoom } from './open.ts';
import { Player } from './player.svelte.ts';

/** A room as a player sees it. */
class FakeRoom {
  readonly key = '';
  view: { gone: string | null } | null = { gone: null };
  left = 0;
  ended = 0;
  /** How long the server takes to hear that somebody left. */
  answer = Promise.resolve();
  entry = { refusal: null as unknown, waiting: false, entered: 0, enter: async () => void this.entry.entered++ };

  constructor(
    readonly id: string,
    readonly lastModerator = false,
  ) {}

  leave = (): Promise<void> => (this.left++, this.answer);
  end = async (): Promise<void> => void this.ended++;
}

const asRoom = (room: FakeRoom): LiveRoom => room as unknown as LiveRoom;
let clock: FakeClock;
let player: Player;
let openRoom: OpenRoom;

function plays(lastModerator: boolean): FakeRoom {
  const room = new FakeRoom('here00000001', lastModerator);
  player.room = asRoom(room);
  return room;
}

beforeEach(() => {
  clock = new FakeClock();
  player = new Player(new FakeToasts(), clock);
  openRoom = opensRooms(player, (id) => asRoom(new FakeRoom(id)));
});

test('who does not lead alone just leaves', async () => {
  const room = plays(false);
  expect(await player.leave()).toBe(true);
  expect([room.left, room.ended, player.room]).toEqual([1, 0, null]);
});

describe('who leads alone is asked', () => {
  test('and may stay', async () => {
    const room = plays(true);
    const leaving = player.leave();
    player.question?.answer('stay');
    expect([await leaving, player.room === asRoom(room), player.question, room.left]).toEqual([false, true, null, 0]);
  });

  test('and may end the room for all', async () => {
    const room = plays(true);
    const leaving = player.leave();
    player.question?.answer('end');
    expect([await leaving, room.ended, room.left]).toEqual([true, 1, 1]);
  });

  test('before another room is opened in its place', async () => {
    const room = plays(true);
    const opening = openRoom('there0000001', '');
    player.question?.answer('stay');
    expect([await opening, player.room === asRoom(room), room.left]).toEqual([null, true, 0]);

    const again = openRoom('there0000001', '');
    player.question?.answer('leave');
    expect((await again)?.id).toBe('there0000001');
    expect([player.room?.id, room.left]).toEqual(['there0000001', 1]);
  });

  test('once: asking again takes the first question back', async () => {
    const room = plays(true);
    const first = player.leave();
    const second = player.leave();
    player.question?.answer('leave');
    expect([await first, await second, room.left]).toEqual([false, true, 1]);
  });
});

test('the room that plays is gone back to, one that is over or could not be entered is entered anew', () => {
  const room = plays(false);
  expect(openRoom(room.id, '')).toBe(room);
  room.view = { gone: 'left' };
  expect(openRoom(room.id, '')).not.toBe(room);
  const shut = plays(false);
  shut.entry.refusal = new Error('full');
  shut.entry.waiting = true;
  expect([openRoom(shut.id, ''), shut.entry.entered]).toEqual([shut, 1]);
  shut.entry.waiting = false;
  expect(openRoom(shut.id, '')).not.toBe(shut);
});

test('a sign-in that is over asks nothing and does not wait for an answer of the server for ever', async () => {
  const room = plays(true);
  room.answer = new Promise(() => undefined);
  const going = player.letGo();
  expect([player.room, room.left]).toEqual([null, 1]);
  await clock.pass(2_000);
  await going;
});
