// Session descriptions and levels, without a browser.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { Levels, loudness } from './levels.ts';
import { withDtx, withRed } from './sdp.ts';

const answer = (fmtp: string): string => `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n${fmtp}a=sendrecv\r\n`;

test('discontinuous transmission is asked for once, with or without parameters in the answer', () => {
  expect(withDtx(answer(''))).toContain('a=rtpmap:111 opus/48000/2\r\na=fmtp:111 usedtx=1\r\n');
  expect(withDtx(answer('a=fmtp:111 minptime=10\r\n'))).toContain('a=fmtp:111 minptime=10;usedtx=1\r\n');
  const already = answer('a=fmtp:111 minptime=10;usedtx=1\r\n');
  expect(withDtx(already)).toBe(already);
});

test('redundancy is asked for first, then Opus, nothing else', () => {
  const codecs = ['audio/PCMU', 'audio/opus', 'audio/G722', 'audio/red'].map((mimeType) => ({ mimeType }));
  expect(withRed(codecs).map((codec) => codec.mimeType)).toEqual(['audio/red', 'audio/opus']);
});

test('loudness follows decibels between silence and full scale', () => {
  expect(loudness(0)).toBe(0);
  expect(loudness(1)).toBe(1);
  expect(loudness(0.1)).toBeCloseTo(0.6);
  expect(loudness(0.0001)).toBe(0);
});

interface Source {
  source: number;
  timestamp: number;
  audioLevel?: number;
}

function receiver(sources: () => Source[]): RTCRtpReceiver {
  return { getContributingSources: sources, getSynchronizationSources: () => [] } as unknown as RTCRtpReceiver;
}

let clock: FakeClock;
beforeEach(() => void (clock = new FakeClock()));

test('a ring lights while packets name the speaker and goes out after the last', async () => {
  const levels = new Levels(clock);
  let stamp = 0;
  let talking = true;
  levels.start(() => [receiver(() => [{ source: 7, timestamp: talking ? ++stamp : stamp, audioLevel: 0.2 }])], () => null);
  const seen: number[] = [];
  levels.follow(7, (level) => seen.push(level));
  await clock.pass(200);
  expect(seen.at(-1)).toBeGreaterThan(0.5);
  talking = false;
  await clock.pass(600);
  expect(seen.at(-1)).toBe(0);
  levels.stop();
});

test('who is said to speak has a ring until it is said that they stopped, although no packet names them', async () => {
  const levels = new Levels(clock);
  levels.start(() => [], () => null);
  const seen: number[] = [];
  levels.follow(7, (level) => seen.push(level));
  levels.name([7]);
  await clock.pass(2_000);
  expect(seen.at(-1)).toBeGreaterThan(0.1);
  levels.name([]);
  await clock.pass(200);
  expect(seen.at(-1)).toBe(0);
  levels.stop();
});

test('a named speaker whose packets are silent has no ring; one without a level has a plain one', async () => {
  const levels = new Levels(clock);
  let stamp = 0;
  levels.start(() => [receiver(() => [{ source: 1, timestamp: ++stamp, audioLevel: 0.0005 }, { source: 2, timestamp: ++stamp }])], () => null);
  const last = new Map<number, number>();
  for (const member of [1, 2]) levels.follow(member, (level) => last.set(member, level));
  await clock.pass(200);
  expect(last.get(1)).toBe(0);
  expect(last.get(2)).toBeGreaterThan(0);
  levels.stop();
});

test('the own microphone lights the own ring', async () => {
  const levels = new Levels(clock);
  let level = 0.5;
  levels.start(() => [], () => ({ member: 9, level }));
  let shown = 0;
  levels.follow(9, (value) => (shown = value));
  await clock.pass(100);
  expect(shown).toBe(0.5);
  level = 0;
  await clock.pass(600);
  expect(shown).toBe(0);
  levels.stop();
});
