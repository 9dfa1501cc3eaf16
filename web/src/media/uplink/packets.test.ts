// How long packets sound, and which of them are still worth sending.
import { expect, test } from 'vitest';
import { FakeClock } from '../../testing/clock.ts';
import { Backlog, samplesOf } from './packets.ts';

const packet = (at: number): { at: number; opus: Uint8Array } => ({ at, opus: Uint8Array.of(0x78, 1) });

test.each([
  ['a voice of 20 ms, as WebCodecs makes it', [0x48, 1, 2], 960],
  ['60 ms in one frame, as recorders make it', [0x58, 1, 2], 2880],
  ['music of 20 ms', [0xf8, 1], 960],
  ['two frames of 2.5 ms', [0xe1, 1], 240],
  ['three frames of 20 ms', [0xfb, 3, 1], 2880],
  ['nothing at all', [], 0],
])('it is known how long a packet sounds: %s', (_what, bytes, samples) => {
  expect(samplesOf(Uint8Array.from(bytes))).toBe(samples);
});

test('what waited too long is dropped, the newest is kept, and what was dropped is counted', async () => {
  const clock = new FakeClock();
  const backlog = new Backlog(clock, 500);
  for (let at = 0; at < 100; at++) {
    backlog.put(packet(at * 960));
    await clock.pass(20);
  }
  const left = backlog.take().map(({ at }) => at / 960);
  expect([left.at(0), left.at(-1)]).toEqual([75, 99]);
  expect(backlog.dropped).toBe(75);
});

test('speech that waits is not held for longer than it is worth, even when nobody asks for it', async () => {
  const clock = new FakeClock();
  const backlog = new Backlog(clock, 500);
  backlog.put(packet(0));
  await clock.pass(501);
  expect([backlog.length, backlog.take()]).toEqual([0, []]);
});
