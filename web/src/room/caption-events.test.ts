// The captions of a language as a stream: they come, the stream breaks, and goes on after the last of them.
import { expect, test } from 'vitest';
import { waitsBy } from '../lib/back-off.ts';
import { FakeClock, FakeNetwork, settled } from '../testing/clock.ts';
import { followCaptions } from './caption-events.ts';

test('captions come as they are told, and after a break those that were missed', async () => {
  const clock = new FakeClock();
  const asked: string[] = [];
  const texts: string[] = [];
  const ups: boolean[] = [];
  let ended = false;
  let open: ReadableStreamDefaultController<Uint8Array> | null = null;
  const stream = followCaptions(
    'room00000001',
    'ar',
    { told: ({ captions }) => texts.push(...captions.map(({ text }) => text)), connected: (up) => void ups.push(up) },
    {
      ask: async (path, headers, signal) => {
        asked.push(`${path} after ${headers['Last-Event-ID'] ?? 'nothing'}`);
        const body = new ReadableStream<Uint8Array>({ start: (controller) => void (open = controller) });
        signal.addEventListener('abort', () => void (ended = true));
        return new Response(body);
      },
      renew: async () => false,
      slot: async () => () => undefined,
      clock,
      waits: waitsBy(clock, () => 1),
      network: new FakeNetwork(),
    },
  );
  const sends = async (text: string): Promise<void> => {
    open?.enqueue(new TextEncoder().encode(text));
    await settled();
  };
  await settled();
  await sends('id: 7.1\nevent: captions\ndata: {"captions":[{"captionId":"a","text":"one","later":1}]}\n\n: heartbeat\n\n');
  await sends('event: something_else\ndata: {}\n\n');
  expect([texts, ups]).toEqual([['one'], [true]]);
  (open as ReadableStreamDefaultController<Uint8Array> | null)?.error(new Error('reset'));
  await settled();
  expect(ups).toEqual([true, false]);
  await clock.pass(10_000);
  await sends('id: 8.1\nevent: captions\ndata: {"captions":[{"captionId":"b","text":"two"}]}\n\n');
  expect([asked, texts, ups]).toEqual([['/captions/room00000001?language=ar after nothing', '/captions/room00000001?language=ar after 7.1'], ['one', 'two'], [true, false, true]]);
  ended = false;
  stream.close();
  await settled();
  expect(ended).toBe(true);
});
