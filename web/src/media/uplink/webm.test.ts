// What recorders write, taken apart again.
import { expect, test } from 'vitest';
import type { Packet } from './packets.ts';
import { WebmPackets } from './webm.ts';

const header = [0x1a, 0x45, 0xdf, 0xa3, 0x84, 1, 2, 3, 4];
const openSegment = [0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const tracks = [0x16, 0x54, 0xae, 0x6b, 0x83, 9, 9, 9];
const openCluster = (milliseconds: number): number[] => [0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x82, milliseconds >> 8, milliseconds & 255];
/** A frame of 60 ms. */
const sound = (mark: number): number[] => [0x58, mark];
const simple = (offset: number, opus: number[]): number[] => [0xa3, 0x80 | (4 + opus.length), 0x81, offset >> 8, offset & 255, 0x80, ...opus];
const grouped = (offset: number, opus: number[]): number[] => [0xa0, 0x80 | (6 + opus.length), 0xa1, 0x80 | (4 + opus.length), 0x81, offset >> 8, offset & 255, 0, ...opus];
const recording = Uint8Array.from([...header, ...openSegment, ...tracks, ...openCluster(0), ...simple(0, sound(1)), ...simple(59, sound(2)), ...openCluster(1_000), ...grouped(0, sound(3)), ...simple(61, sound(4))]);
const expected = [
  [0, 1],
  [2_880, 2],
  [48_000, 3],
  [50_880, 4],
];

const short = (packets: Packet[]): number[][] => packets.map(({ at, opus }) => [at, opus[1] ?? -1]);

test.each([1, 2, 3, 7, 64, 4_096])('packets come out whole, however the recording is cut: pieces of %s bytes', (size) => {
  const reader = new WebmPackets();
  const packets: Packet[] = [];
  for (let from = 0; from < recording.length; from += size) packets.push(...reader.push(recording.subarray(from, from + size)));
  expect(short(packets)).toEqual(expected);
});

test('a packet follows the one before it without a seam, though recorders stamp in whole milliseconds', () => {
  expect(short(new WebmPackets().push(recording)).map(([at]) => at)).toEqual([0, 2_880, 48_000, 50_880]);
});

test.each([
  ['junk', [0, 0, 0, 0]],
  ['a block that claims to be huge', [...openSegment, ...openCluster(0), 0xa3, 0x10, 0xff, 0xff, 0xff]],
  ['a block too short to be one', [...openSegment, ...openCluster(0), 0xa3, 0x81, 0x81]],
])('what is no recording is refused, and not kept: %s', (_what, bytes) => {
  expect(() => new WebmPackets().push(Uint8Array.from(bytes))).toThrow('no WebM');
});
