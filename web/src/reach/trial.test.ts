// What a browser's counts and the times of what came say of a way.
import { expect, test } from 'vitest';
import { judged, only } from './calls.ts';
import { judgedEvents, judgedSound, longestGap, whole, type Arrived } from './streams.ts';

const answer = ['v=0', 'a=candidate:1 1 udp 1 127.0.0.1 8082 typ host', 'a=candidate:2 1 TCP 1 127.0.0.1 8082 typ host tcptype passive', 'a=end-of-candidates'].join('\r\n');

/** So many pieces of so many bytes, each so long after the one before. */
function came(pieces: number, bytes: number, apart: number): Arrived {
  const numbers = Array.from({ length: pieces }, (_, at) => at);
  return { chunks: numbers.map((at) => new Uint8Array(bytes).fill(at)), times: numbers.map((at) => at * apart) };
}

test('each way is tried with its own candidates alone', () => {
  expect(only(answer, 'udp')).not.toContain('tcptype');
  expect(only(answer, 'tcp')).not.toContain(' udp ');
  expect(only(answer, 'tcp')).toContain('tcptype passive');
  expect(only(answer.replaceAll('TCP', 'udp'), 'tcp')).toBeNull();
});

test('a call works when packets come, and is silent when it only connects', () => {
  const pair = { type: 'candidate-pair', state: 'succeeded', currentRoundTripTime: 0.04 };
  expect(judged([pair, { type: 'inbound-rtp', packetsReceived: 90, packetsLost: 10 }])).toEqual({ outcome: 'works', roundTrip: 40, loss: 10 });
  expect(judged([pair, { type: 'inbound-rtp', packetsReceived: 2, packetsLost: 0 }]).outcome).toBe('silent');
  expect(judged([]).outcome).toBe('silent');
});

test('sound that comes piece by piece works; all at once, in lumps or hardly any it is late', () => {
  expect(judgedSound(came(11, 1900, 400))).toBe('works');
  expect(judgedSound(came(1, 30_000, 0))).toBe('late');
  expect(judgedSound(came(3, 6_000, 1_600))).toBe('late');
  expect(judgedSound(came(11, 100, 400))).toBe('late');
  expect(judgedSound({ chunks: [], times: [] })).toBe('late');
});

test('events that come one by one work, and held up they are late', () => {
  expect(judgedEvents(came(12, 50, 250))).toBe('works');
  expect(judgedEvents(came(1, 600, 0))).toBe('late');
});

test('what came is put together in order', () => {
  expect([...new Uint8Array(whole(came(3, 2, 1)))]).toEqual([0, 0, 1, 1, 2, 2]);
  expect(longestGap([0, 400, 1_900])).toBe(1_500);
});
