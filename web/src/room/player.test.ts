// Leaving a room, wherever one leaves from: the last moderator is asked, everybody else is silent at once.
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { LiveRoom } from './live.svelte.ts';

vi.mock('../lib/toasts.svelte.ts', () => ({ attempt: (call: () => Promise<unknown>) => call() }));
vi.mock('../lib/session.svelte.ts', () => ({ session: { me: 'sami00000001' } }));
class NewRoom {
  readonly id: string;
  enter = vi.fn(async () => undefined);
  constructor(id: string) {
    this.id = id;
  }
}
vi.mock('./live.svelte.ts', () => ({ LiveRoom: NewRoom }));
const { player } = await import('./player.svelte.ts');
const { openRoom } = await import('./open.ts');

const leave = vi.fn(async () => undefined);
const end = vi.fn(async () => undefined);

function plays(lastModerator: boolean): LiveRoom {
  return (player.room = { id: 'here00000001', key: '', lastModerator, view: {}, leave, end } as unknown as LiveRoom);
}

beforeEach(() => {
  vi.clearAllMocks();
  player.room = null;
  player.question = null;
});

test('who does not lead alone just leaves', async () => {
  plays(false);
  expect(await player.leave()).toBe(true);
  expect([leave.mock.calls.length, end.mock.calls.length, player.room]).toEqual([1, 0, null]);
});

describe('who leads alone is asked', () => {
  test('and may stay', async () => {
    const room = plays(true);
    const leaving = player.leave();
    player.question?.answer('stay');
    expect([await leaving, player.room === room, player.question, leave.mock.calls.length]).toEqual([false, true, null, 0]);
  });

  test('and may end the room for all', async () => {
    plays(true);
    const leaving = player.leave();
    player.question?.answer('end');
    expect([await leaving, end.mock.calls.length, leave.mock.calls.length]).toEqual([true, 1, 1]);
  });

  test('before another room is opened in its place', async () => {
    const room = plays(true);
    const opening = openRoom('there0000001', '');
    player.question?.answer('stay');
    expect([await opening, player.room === room, leave.mock.calls.length]).toEqual([null, true, 0]);

    const again = openRoom('there0000001', '');
    player.question?.answer('leave');
    expect((await again)?.id).toBe('there0000001');
    expect([player.room?.id, leave.mock.calls.length]).toEqual(['there0000001', 1]);
  });

  test('once: asking again takes the first question back', async () => {
    plays(true);
    const first = player.leave();
    const second = player.leave();
    player.question?.answer('leave');
    expect([await first, await second, leave.mock.calls.length]).toEqual([false, true, 1]);
  });
});

test('a sign-in that is over asks nothing and waits for no answer of the server', async () => {
  vi.useFakeTimers();
  plays(true);
  const never = new Promise<undefined>(() => undefined);
  leave.mockReturnValueOnce(never);
  const going = player.letGo();
  expect([player.room, leave.mock.calls.length]).toEqual([null, 1]);
  await vi.advanceTimersByTimeAsync(2_000);
  await going;
  vi.useRealTimers();
});
