// The event stream of a room over a network that tests play: it breaks, it is refused, there is no place for it.
import { beforeEach, expect, test } from 'vitest';
import { waitsBy } from '../lib/back-off.ts';
import type { Refusal } from '../lib/refusal.ts';
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { FakeClock, FakeNetwork, settled } from '../testing/clock.ts';
import { RoomEvents, type StreamListener } from './events.ts';

class FakeListener implements StreamListener {
  at = 0n;
  readonly came: (string | undefined)[] = [];
  readonly ups: boolean[] = [];
  readonly refusals: string[] = [];
  revision = (): bigint => this.at;
  event = (event: RoomEvent): void => {
    this.at = event.revision;
    this.came.push(event.event.case);
  };
  connected = (up: boolean): void => void this.ups.push(up);
  readonly quiets: boolean[] = [];
  quiet = (still: boolean): void => void this.quiets.push(still);
  refused = (refusal: Refusal): void => void this.refusals.push(refusal.reason);
  named = false;
  speakers = (): boolean => this.named;
}

/** A server at the other end of the stream. */
class FakeServer {
  readonly asked: { path: string; after: string }[] = [];
  /** What the next requests are answered; a status, or a stream when there is nothing left. */
  readonly refusals: { status: number; reason: string }[] = [];
  #open: ReadableStreamDefaultController<Uint8Array> | null = null;

  ask = async (path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> => {
    this.asked.push({ path, after: headers['Last-Event-ID'] ?? '' });
    const refusal = this.refusals.shift();
    if (refusal) return new Response(JSON.stringify({ reason: refusal.reason }), { status: refusal.status });
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#open = controller) });
    signal.addEventListener('abort', () => {
      try {
        this.#open?.error(new Error('aborted'));
      } catch {
        // Broken already.
      }
    });
    return new Response(body);
  };

  async sends(text: string): Promise<void> {
    this.#open?.enqueue(new TextEncoder().encode(text));
    await settled();
  }

  async breaks(): Promise<void> {
    this.#open?.error(new Error('reset'));
    await settled();
  }
}

const hand = (revision: number): string => `id: ${revision}\nevent: hand_raised\ndata: {"userId":"omar00000001","handCount":1}\n\n`;
let clock: FakeClock;
let network: FakeNetwork;
let listener: FakeListener;
let server: FakeServer;
let renewals: boolean[];
let places: number;

async function follows(): Promise<RoomEvents> {
  const events = new RoomEvents('room00000001', listener, {
    ask: server.ask,
    renew: async () => renewals.shift() ?? false,
    slot: async () => (places > 0 ? (places--, () => void places++) : null),
    clock,
    waits: waitsBy(clock, () => 1),
    network,
  });
  await settled();
  return events;
}

beforeEach(() => {
  clock = new FakeClock();
  network = new FakeNetwork();
  listener = new FakeListener();
  server = new FakeServer();
  renewals = [];
  places = 3;
});

test('events come as they happen, and a stream that breaks goes on after what was shown', async () => {
  const events = await follows();
  await server.sends(hand(8));
  expect([listener.ups, listener.came]).toEqual([[true], ['handRaised']]);
  await server.breaks();
  expect(listener.ups).toEqual([true, false]);
  await clock.pass(2_000);
  expect(server.asked.map(({ after }) => after)).toEqual(['', '8']);
  events.close();
});

test('a network that comes back ends the wait', async () => {
  const events = await follows();
  await server.breaks();
  network.comesBack();
  await settled();
  expect([server.asked.length, clock.now()]).toEqual([2, 0]);
  events.close();
});

test('a stream that says nothing for long is taken for dead', async () => {
  const events = await follows();
  await clock.pass(20_000);
  await server.sends(': heartbeat\n\n');
  await clock.pass(20_000);
  expect(listener.ups).toEqual([true]);
  await clock.pass(10_000);
  expect(listener.ups).toEqual([true, false, true]);
  events.close();
});

test('an open stream on which nothing comes is noticed long before it is taken for dead, and so is that it goes on', async () => {
  const events = await follows();
  await clock.pass(7_000);
  await server.sends(hand(8));
  await clock.pass(7_000);
  expect(listener.quiets).toEqual([]);
  await clock.pass(1_000);
  expect([listener.quiets, listener.ups]).toEqual([[true], [true]]);
  await server.sends(hand(9));
  expect([listener.quiets, server.asked.length]).toEqual([[true, false], 1]);
  events.close();
});

test('the waits grow while nothing comes, and begin anew once something came', async () => {
  server.refusals.push(...[1, 2, 3].map(() => ({ status: 503, reason: 'DRAINING' })));
  const events = await follows();
  await clock.pass(2_000);
  await clock.pass(3_999);
  expect(server.asked.length).toBe(2);
  await clock.pass(1);
  expect(server.asked.length).toBe(3);
  await clock.pass(8_000);
  await server.sends(hand(8));
  await server.breaks();
  await clock.pass(2_000);
  expect(server.asked.length).toBe(5);
  events.close();
});

test('an expired sign-in is renewed once; one that is over is asked again later, not at once', async () => {
  server.refusals.push({ status: 401, reason: 'TOKEN_EXPIRED' });
  renewals.push(true);
  const events = await follows();
  expect([server.asked.length, listener.ups]).toEqual([2, [true]]);
  server.refusals.push({ status: 401, reason: 'NOT_SIGNED_IN' });
  await server.breaks();
  await clock.pass(2_000);
  expect([server.asked.length, listener.refusals]).toEqual([3, []]);
  events.close();
});

test('who may not watch is told why, and the server is asked no more', async () => {
  server.refusals.push({ status: 403, reason: 'REMOVED' });
  await follows();
  network.comesBack();
  await clock.pass(600_000);
  expect([listener.refusals, server.asked.length]).toEqual([['REMOVED'], 1]);
});

test('a gap is asked about after what is shown, or afresh', async () => {
  const events = await follows();
  await server.sends(hand(8));
  events.resync();
  await clock.pass(2_000);
  events.resync(true);
  await clock.pass(4_000);
  expect(server.asked.map(({ after }) => after)).toEqual(['', '8', '']);
  events.close();
});

test('a tab without a place of its own asks from time to time what is missing, and streams once there is one', async () => {
  places = 0;
  const events = await follows();
  await server.sends(hand(8));
  await server.breaks();
  expect(server.asked[0]?.path).toBe('/events/room00000001?once=1');
  expect([listener.ups, listener.came]).toEqual([[true, false], ['handRaised']]);
  places = 1;
  await clock.pass(3_000);
  expect([server.asked[1]?.path, places]).toEqual(['/events/room00000001', 0]);
  events.close();
  await settled();
  expect(places).toBe(1);
});

test('what else is to be told is asked for at once, after what came, and nothing seems away meanwhile', async () => {
  const events = await follows();
  await server.sends(hand(7));
  listener.named = true;
  events.renew();
  await settled();
  await server.sends(hand(8));
  expect(server.asked).toEqual([
    { path: '/events/room00000001', after: '' },
    { path: '/events/room00000001?speakers=1', after: '7' },
  ]);
  expect([listener.came, listener.ups, listener.refusals]).toEqual([['handRaised', 'handRaised'], [true], []]);
  events.close();
});
