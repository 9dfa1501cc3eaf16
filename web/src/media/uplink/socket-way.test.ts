// The way up a WebSocket, with a socket that tests play.
import { expect, test } from 'vitest';
import { FakeClock } from '../../testing/clock.ts';
import { FakeSocket, saying, written, type Told } from '../../testing/uplink.ts';
import { Backlog } from './packets.ts';
import { SocketWay } from './socket-way.ts';

class Scene {
  readonly clock = new FakeClock();
  readonly socket = new FakeSocket();
  readonly backlog = new Backlog(this.clock, 500);
  readonly told: Told[] = [];
  readonly way = new SocketWay(this.socket, 'permit', this.backlog, written(this.told), this.clock);

  opened(): this {
    this.socket.opens();
    this.socket.says({ opened: { session_id: 's', muted: false } });
    return this;
  }

  /** The person speaks for so long; the server confirms what it has, unless the network stands still. */
  speak(milliseconds: number, confirms = true): Promise<number> {
    return saying(this.clock, milliseconds, (packet, index) => {
      this.backlog.put(packet);
      this.way.pump();
      if (confirms && index % 25 === 24) this.socket.says({ heard: this.socket.times.at(-1) ?? 0 });
    });
  }
}

test('the permit goes first, and no sound before the relay takes it', async () => {
  const scene = new Scene();
  scene.socket.opens();
  expect(scene.socket.texts).toEqual([{ open: { permit: 'permit', form: 'opus' } }]);
  await scene.speak(100);
  expect(scene.socket.times).toEqual([]);
  scene.socket.says({ opened: { session_id: 's', muted: true } });
  expect(scene.told).toEqual(['opened', 'muted']);
});

test('each packet is a message of its own, after the time at which it was said', async () => {
  const scene = new Scene().opened();
  scene.backlog.put({ at: 2 ** 32 + 960, opus: Uint8Array.of(0x48, 7) });
  scene.way.pump();
  expect([...(scene.socket.packets[0] ?? [])]).toEqual([0, 0, 3, 192, 0x48, 7]);
});

test('a network that stands still holds no more than two seconds of speech, and goes on with what is said now', async () => {
  const scene = new Scene().opened();
  await scene.speak(2_000);
  const before = scene.socket.times.length;
  await scene.speak(4_000, false);
  const sent = scene.socket.times.length - before;
  expect(sent * 20 + scene.backlog.length * 20).toBeLessThanOrEqual(2_000 + 40);
  const last = scene.socket.times.at(-1) ?? 0;
  const now = saying.at(scene.clock);
  scene.socket.says({ heard: last });
  const next = scene.socket.times[before + sent] ?? 0;
  expect(now - next).toBeLessThanOrEqual(0.52 * 48_000);
  expect(scene.told).toEqual(['opened', 'stalled', 'flows']);
});

test('what the browser itself still holds counts as well, for servers that confirm nothing', async () => {
  const scene = new Scene().opened();
  scene.socket.bufferedAmount = 6_000;
  await scene.speak(1_000, false);
  expect(scene.socket.times).toEqual([]);
  scene.socket.bufferedAmount = 0;
  await scene.speak(20, false);
  expect(scene.socket.times.length).toBeLessThanOrEqual(26);
});

test('a connection on which nothing arrives any more is given up after five seconds', async () => {
  const scene = new Scene().opened();
  await scene.speak(1_000);
  await scene.speak(6_000, false);
  expect(scene.told).toEqual(['opened', 'stalled', 'broken: spent']);
  expect(scene.socket.closed).toBe(true);
});

test('silence is no stall: who is muted for minutes is still connected', async () => {
  const scene = new Scene().opened();
  await scene.speak(1_100);
  scene.socket.says({ heard: scene.socket.times.at(-1) ?? 0 });
  await scene.clock.pass(120_000);
  expect(scene.told).toEqual(['opened']);
});

test('a network that lets no WebSocket through leaves the permit unspent', async () => {
  const never = new Scene();
  await never.clock.pass(4_000);
  expect(never.told).toEqual(['broken']);
  const dead = new Scene();
  dead.socket.fails();
  expect(dead.told).toEqual(['broken']);
});

test('a proxy that opens the socket and passes nothing is found out, and may have shown the permit', async () => {
  const scene = new Scene();
  scene.socket.opens();
  await scene.clock.pass(4_000);
  expect(scene.told).toEqual(['broken: spent']);
});

test('what the server says is passed on: mute, and the reason of an end, once', async () => {
  const scene = new Scene().opened();
  scene.socket.says({ muted: true });
  scene.socket.says({ muted: false });
  scene.socket.says({ ended: { reason: 'REMOVED', message: 'no' } });
  scene.socket.fails();
  expect(scene.told).toEqual(['opened', 'muted', 'unmuted', 'ended: REMOVED']);
});

test('words that are none change nothing', () => {
  const scene = new Scene().opened();
  scene.socket.saysText('{"mu');
  scene.socket.saysText('null');
  expect(scene.told).toEqual(['opened']);
});
