// Whether a relay is gone, or only nobody speaks: as a browser counts it.
import { expect, test } from 'vitest';
import { countedIn, Pulse } from './pulse.ts';

const step = 500;

/** Looks each half second at a relay that has been heard so many times and was asked so often; says when it counted as lost. */
function lostAt(counts: readonly (readonly [heard: number, asked: number | undefined])[]): number | null {
  const pulse = new Pulse();
  const found = counts.findIndex(([heard, asked], at) => pulse.isLost({ heard, asked }, at * step));
  return found < 0 ? null : found * step;
}

test('a relay that dies while somebody speaks is missed about two seconds after its last packet', () => {
  const speaking = [[25, 3], [50, 3], [75, 4]] as const;
  // The checks come faster once one has no answer.
  const dead = [[75, 4], [75, 5], [75, 8], [75, 12], [75, 16]] as const;
  expect(lostAt([...speaking, ...dead])).toBe(2 * step + 2_000);
});

test('a relay that dies while nobody speaks is missed as well', () => {
  expect(lostAt([[152, 9], [152, 9], [152, 9], [152, 9], [152, 9], [152, 12], [152, 16]])).toBe(6 * step);
});

test('where nobody speaks for long the answers to checks say that the relay is there', () => {
  const quiet = Array.from({ length: 240 }, (_, at) => [152 + Math.floor(at / 5), 9 + Math.floor((at + 1) / 5)] as const);
  expect(lostAt(quiet)).toBeNull();
});

test('one check without an answer in a silence is no loss', () => {
  expect(lostAt([[9, 9], [9, 9], [9, 9], [9, 9], [9, 10], [9, 11], [12, 12]])).toBeNull();
});

test('a browser that does not count its checks is not judged by them', () => {
  expect(lostAt(Array.from({ length: 100 }, () => [9, undefined] as const))).toBeNull();
});

test('a relay that is heard again is not lost any more', () => {
  const pulse = new Pulse();
  pulse.isLost({ heard: 9, asked: 9 }, 0);
  expect(pulse.isLost({ heard: 9, asked: 30 }, 2_500)).toBe(true);
  expect(pulse.isLost({ heard: 39, asked: 31 }, 3_000)).toBe(false);
});

test('packets, reports and answers of all ways count, and what was sent does not', () => {
  const report = [
    { type: 'inbound-rtp', packetsReceived: 100 },
    { type: 'outbound-rtp', packetsSent: 1_000 },
    { type: 'remote-outbound-rtp', reportsSent: 3 },
    { type: 'candidate-pair', requestsSent: 7, responsesReceived: 6, requestsReceived: 1 },
    { type: 'candidate-pair', requestsSent: 2, responsesReceived: 0 },
  ];
  expect(countedIn(report)).toEqual({ heard: 110, asked: 9 });
});
