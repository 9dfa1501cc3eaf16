// Speaking over the web as a whole: with a microphone, sockets and a server that tests play.
import { beforeEach, expect, test } from 'vitest';
import { reasonOf } from '../../lib/refusal.ts';
import { FakeClock, settled } from '../../testing/clock.ts';
import { FakePieces, FakeSocket, saying } from '../../testing/uplink.ts';
import { Passage, Uplink } from './uplink.ts';
import type { Hearer, Voice } from './voice.ts';

const permit = { permit: 'p', path: '/whip/room00000001' };

class FakeVoice implements Voice {
  tracks: unknown[] = [];
  closed = false;
  constructor(readonly hearer: Hearer) {}
  take = (track: unknown): void => void this.tracks.push(track);
  close = (): void => void (this.closed = true);
}

let clock: FakeClock;
let server: FakePieces;
let passage: Passage;
let sockets: FakeSocket[];
let voices: FakeVoice[];
let told: string[];
let mute: boolean;

beforeEach(() => {
  clock = new FakeClock();
  server = new FakePieces(clock);
  passage = new Passage();
  [sockets, voices, told, mute] = [[], [], [], false];
});

function uplink(): Uplink {
  return new Uplink(
    {
      clock,
      passage,
      fetch: server.fetch,
      socket: (path) => {
        expect(path).toBe('/speak/room00000001');
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      voice: async (hearer) => {
        if (mute) throw new DOMException('none', 'NotSupportedError');
        const voice = new FakeVoice(hearer);
        voices.push(voice);
        return voice;
      },
    },
    { state: (state) => void told.push(state), voiceless: () => void told.push('voiceless') },
  );
}

/** Opens one up a socket. */
async function open(): Promise<{ up: Uplink; socket: FakeSocket; voice: FakeVoice }> {
  const up = uplink();
  const opening = up.open(permit, null);
  sockets[0]?.opens();
  sockets[0]?.says({ opened: { session_id: 's' } });
  await opening;
  await settled();
  return { up, socket: sockets[0] as FakeSocket, voice: voices[0] as FakeVoice };
}

const says = (voice: FakeVoice, milliseconds: number): Promise<number> => saying(clock, milliseconds, (packet) => voice.hearer.packet(packet));

test('what is said goes up from the moment the relay takes it, and nothing of before', async () => {
  const up = uplink();
  const opening = up.open(permit, null);
  await settled();
  await says(voices[0] as FakeVoice, 300);
  sockets[0]?.opens();
  sockets[0]?.says({ opened: { session_id: 's' } });
  await opening;
  await says(voices[0] as FakeVoice, 100);
  expect(sockets[0]?.times).toEqual([15, 16, 17, 18, 19].map((index) => index * 960));
  expect(told).toEqual(['connected']);
});

test('where no WebSocket passes it goes up in pieces, with the same permit, and the next time at once', async () => {
  const up = uplink();
  const opening = up.open(permit, null);
  await settled();
  sockets[0]?.fails();
  await opening;
  await says(voices[0] as FakeVoice, 600);
  await clock.pass(400);
  expect(server.played).toHaveLength(30);
  up.close();
  const again = uplink();
  await again.open(permit, null);
  expect([sockets.length, server.opened]).toEqual([1, 2]);
  again.close();
});

test('a socket that was taken and then swallowed spends the permit: another one goes up in pieces', async () => {
  const up = uplink();
  const opening = up.open(permit, null).catch((error: unknown) => String(error));
  sockets[0]?.opens();
  await clock.pass(4_000);
  expect(await opening).toContain('503');
  expect(server.opened).toBe(0);
  await uplink().open({ ...permit, permit: 'fresh' }, null);
  expect(server.opened).toBe(1);
});

test('a refusal is thrown with its reason, and the microphone let go', async () => {
  const up = uplink();
  const opening = up.open(permit, null).catch(reasonOf);
  await settled();
  sockets[0]?.opens();
  sockets[0]?.says({ ended: { reason: 'SEAT_TAKEN_OVER', message: 'elsewhere' } });
  expect(await opening).toBe('SEAT_TAKEN_OVER');
  expect(voices[0]?.closed).toBe(true);
  expect(told).toEqual([]);
});

test('a way that dies is told, once, and no other is begun here', async () => {
  const { socket, voice } = await open();
  socket.fails();
  await clock.pass(10_000);
  expect(told).toEqual(['connected', 'failed']);
  expect([voice.closed, sockets.length, server.opened]).toEqual([true, 1, 0]);
  expect(passage.isBlocked(clock.now())).toBe(false);
});

test('while the relay lets nothing through nothing is sent', async () => {
  const { socket, voice } = await open();
  socket.says({ muted: true });
  await says(voice, 500);
  expect(socket.packets).toEqual([]);
  socket.says({ muted: false });
  await says(voice, 100);
  expect(socket.packets).toHaveLength(5);
});

test('another microphone takes the place of the one before', async () => {
  const { up, voice } = await open();
  const track = { enabled: true } as MediaStreamTrack;
  up.send(track);
  expect(voice.tracks).toEqual([null, track]);
});

test('a browser that makes no Opus is told so, and stays on stage to listen', async () => {
  mute = true;
  const up = uplink();
  const opening = up.open(permit, null);
  sockets[0]?.opens();
  sockets[0]?.says({ opened: { session_id: 's' } });
  await opening;
  await settled();
  expect(told.sort()).toEqual(['connected', 'voiceless']);
  expect(up.state).toBe('connected');
});

test('who leaves sends nothing more, whatever is still on its way', async () => {
  const { up, socket, voice } = await open();
  up.close();
  voice.hearer.packet({ at: 0, opus: Uint8Array.of(1) });
  socket.says({ ended: { reason: 'ROOM_ENDED' } });
  await clock.pass(10_000);
  expect(told).toEqual(['connected']);
  expect([socket.closed, socket.packets]).toEqual([true, []]);
});
