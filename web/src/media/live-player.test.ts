// A live stream over HTTPS, with a server and a place to sound that tests play.
import { beforeEach, expect, test } from 'vitest';
import { waitsBy } from '../lib/back-off.ts';
import { FakeClock, settled } from '../testing/clock.ts';
import { LivePlayer, type LiveState } from './live-player.ts';
import { kindOf, type Sink } from './sink.ts';

class FakeSink implements Sink {
  readonly ending = 'webm';
  fed = true;
  ready = false;
  ahead = 0.6;
  begun = 0;
  bytes = 0;
  closed = false;
  loaded = '';
  begin = (): void => void this.begun++;
  append = async (bytes: Uint8Array): Promise<void> => {
    this.bytes += bytes.length;
    this.ready = true;
  };
  load = (address: string): void => void (this.loaded = address);
  play = async (): Promise<boolean> => true;
  silence = (): void => undefined;
  loud = (): void => undefined;
  close = (): void => void (this.closed = true);
}

let clock: FakeClock;
let sink: FakeSink;
let streams: ReadableStreamDefaultController<Uint8Array>[];
let refusals: Error[];
let told: [LiveState, unknown][];
let player: LivePlayer;

beforeEach(() => {
  [clock, sink, streams, refusals, told] = [new FakeClock(), new FakeSink(), [], [], []];
  player = new LivePlayer({
    open: async () => {
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      return new Response(new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) }));
    },
    address: (ending) => `/listen/room00000001.${ending}`,
    sink: () => sink,
    tell: (state, error) => void told.push([state, error]),
    isFinal: (error) => (error as Error).message === 'over',
    clock,
    waits: waitsBy(clock, () => 1),
  });
});

/** Pieces come for so many milliseconds. */
async function comes(milliseconds: number, bytes = 700): Promise<void> {
  for (let at = 0; at < milliseconds; at += 400) {
    streams.at(-1)?.enqueue(new Uint8Array(bytes));
    await clock.pass(400);
  }
}

test('it sounds once enough has come, and tells whether somebody speaks', async () => {
  await player.start();
  await comes(4_000, 240);
  expect([told.map(([state]) => state), player.heard]).toEqual([['connected'], false]);
  await comes(2_400);
  expect([player.heard, player.behind]).toEqual([true, 1]);
});

test('a stream that ends is opened again at once, with a head of its own', async () => {
  await player.start();
  await comes(800);
  streams[0]?.close();
  await clock.pass(700);
  await comes(800);
  expect([streams.length, sink.begun, told.map(([state]) => state)]).toEqual([2, 2, ['connected']]);
});

test('a stream that says nothing is told as lost, is opened anew, and has failed after a while', async () => {
  await player.start();
  await comes(800);
  await clock.pass(3_000);
  expect(told.at(-1)).toEqual(['lost', null]);
  await clock.pass(3_000);
  expect(streams.length).toBeGreaterThan(1);
  await clock.pass(30_000);
  expect(told.at(-1)).toEqual(['failed', null]);
  const opened = streams.length;
  await clock.pass(60_000);
  expect(streams.length).toBe(opened);
});

test('a network that lets nothing of it through is told within eight seconds', async () => {
  await player.start();
  await clock.pass(8_500);
  expect(told).toEqual([['failed', null]]);
});

test('a refusal for good ends it, with its reason', async () => {
  await player.start();
  await comes(800);
  refusals.push(new Error('later'), new Error('over'));
  streams[0]?.close();
  await clock.pass(3_000);
  expect(told.at(-1)).toEqual(['failed', new Error('over')]);
});

test('what is closed opens nothing more', async () => {
  await player.start();
  await comes(800);
  player.close();
  await settled();
  await clock.pass(60_000);
  expect([streams.length, sink.closed, told.length]).toEqual([1, true, 1]);
});

test('a browser without Media Source fetches by itself, once it is let in', async () => {
  sink.fed = false;
  await player.start();
  expect(sink.loaded).toBe('/listen/room00000001.webm');
  sink.ready = true;
  await clock.pass(500);
  expect(told).toEqual([['connected', null]]);
});

test('the source and the container are those that the browser takes; iPhones have a managed one alone', () => {
  const takes = (part: string): typeof MediaSource => ({ isTypeSupported: (type: string) => type.includes(part) }) as unknown as typeof MediaSource;
  expect(kindOf({ MediaSource: takes('audio') })).toMatchObject({ managed: false, ending: 'webm' });
  expect(kindOf({ ManagedMediaSource: takes('mp4') })).toMatchObject({ managed: true, ending: 'mp4' });
  expect(kindOf({ MediaSource: takes('video') })).toBeNull();
});
