// The way up in short requests, with a server that tests play.
import { expect, test } from 'vitest';
import { FakeClock, settled } from '../../testing/clock.ts';
import { FakePieces, saying, written, type Told } from '../../testing/uplink.ts';
import { Backlog, type Packet } from './packets.ts';
import { packed, PiecesWay } from './pieces-way.ts';

class Scene {
  readonly clock = new FakeClock();
  readonly server = new FakePieces(this.clock);
  readonly backlog = new Backlog(this.clock, 1_500);
  readonly told: Told[] = [];
  readonly way: PiecesWay;

  constructor(refuses: FakePieces['refuses'] = null) {
    this.server.refuses = refuses;
    this.way = new PiecesWay('room00000001', 'permit', this.backlog, written(this.told), this.clock, this.server.fetch);
  }

  speak(milliseconds: number): Promise<number> {
    return saying(this.clock, milliseconds, (packet: Packet) => {
      this.backlog.put(packet);
      this.way.pump();
    });
  }
}

test('speech goes up in pieces of a fifth of a second, all of it, in order', async () => {
  const scene = new Scene();
  await settled();
  await scene.speak(3_000);
  await scene.clock.pass(400);
  expect(scene.server.played).toEqual(Array.from({ length: 150 }, (_, index) => index * 960));
  expect(scene.server.pieces).toBeLessThanOrEqual(18);
  expect(scene.told).toEqual(['opened']);
});

test('on a slow way pieces are longer, one is on its way at a time, and nothing is lost', async () => {
  const scene = new Scene();
  await settled();
  scene.server.takes = 700;
  await scene.speak(5_000);
  scene.server.takes = 0;
  await scene.clock.pass(1_500);
  expect(scene.server.played).toHaveLength(250);
  expect(scene.server.most).toBe(1);
});

test('a piece whose answer is lost is not played twice, and what is said after a stall is said now', async () => {
  const scene = new Scene();
  await settled();
  await scene.speak(1_000);
  scene.server.loses = 'answers';
  await scene.speak(2_400);
  expect(scene.told).toEqual(['opened', 'stalled']);
  scene.server.loses = 'nothing';
  await scene.speak(1_000);
  await scene.clock.pass(400);
  expect(scene.told).toEqual(['opened', 'stalled', 'flows']);
  const { played } = scene.server;
  expect(new Set(played).size).toBe(played.length);
  expect([...played].sort((a, b) => a - b)).toEqual(played);
  expect(played.at(-1)).toBe(219 * 960);
  expect(scene.server.latest).toBeLessThanOrEqual(2_500);
});

test('a network that comes to nothing is given up after five seconds', async () => {
  const scene = new Scene();
  await settled();
  scene.server.loses = 'pieces';
  await scene.speak(6_000);
  expect(scene.told).toEqual(['opened', 'stalled', 'broken: spent']);
});

test('who says nothing gives a sign of life before the server takes them for gone', async () => {
  const scene = new Scene();
  await scene.clock.pass(60_000);
  expect(scene.told).toEqual(['opened']);
  expect(scene.server.longestSilence).toBeLessThan(2_500);
});

test('a refusal has its reason, and so has an end', async () => {
  const refused = new Scene({ status: 403, reason: 'PERMIT_INVALID' });
  await settled();
  expect(refused.told).toEqual(['ended: PERMIT_INVALID']);
  const removed = new Scene();
  await settled();
  removed.server.refuses = { status: 410, reason: 'REMOVED' };
  await removed.speak(400);
  expect(removed.told).toEqual(['opened', 'ended: REMOVED']);
});

test('a mute that the relay tells is passed on, once', async () => {
  const scene = new Scene();
  await settled();
  scene.server.muted = true;
  await scene.speak(1_000);
  scene.server.muted = false;
  await scene.speak(1_000);
  expect(scene.told).toEqual(['opened', 'muted', 'unmuted']);
});

test('who stops speaking says so; who stopped before it was open as well', async () => {
  const scene = new Scene();
  await settled();
  scene.way.close();
  expect(scene.server.deleted).toEqual([{ location: '/speak/room00000001/pieces/1', leaving: true }]);
  const early = new Scene();
  early.way.close();
  await settled();
  expect(early.server.deleted).toHaveLength(1);
  expect(early.told).toEqual([]);
});

test('a piece is each packet after its length and its time', () => {
  expect([...packed([{ at: 960, opus: Uint8Array.of(1, 2) }, { at: 2 ** 32, opus: Uint8Array.of(3) }])]).toEqual([0, 6, 0, 0, 3, 192, 1, 2, 0, 5, 0, 0, 0, 0, 3]);
});
