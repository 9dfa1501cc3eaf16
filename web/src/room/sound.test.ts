// How the sound of a room moves from one session to the next, with sessions that tests play.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SessionState } from '../media/session.ts';
import { Refusal } from '../lib/refusal.ts';

class FakeSession {
  static all: FakeSession[] = [];
  state: SessionState = 'connecting';
  relay = 'relay0000001';
  receivers = [];
  silenced = false;
  playable = true;
  farewell = '';

  constructor(
    readonly kind: string,
    private readonly tell: (state: SessionState) => void,
    readonly iceServers?: unknown,
  ) {
    FakeSession.all.push(this);
  }

  open = vi.fn(async () => undefined);
  send = vi.fn(async () => undefined);
  sound = async (): Promise<boolean> => this.playable;
  silence = (): void => void (this.silenced = true);
  close = (how: string): void => {
    this.state = 'closed';
    this.farewell = how;
  };
  become(state: SessionState): void {
    this.state = state;
    this.tell(state);
  }
}

vi.mock('../media/session.ts', () => ({ MediaSession: FakeSession }));
vi.mock('../media/microphone.svelte.ts', () => ({ microphone: { track: null, level: () => 0 } }));
const { Sound } = await import('./sound.svelte.ts');

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const permit = vi.fn(async () => ({ permit: 'p', path: '/whep/room00000001' }));
const refused = vi.fn();
let sound: InstanceType<typeof Sound>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  FakeSession.all = [];
  permit.mockClear();
  refused.mockClear();
  sound = new Sound({ permit, member: () => 0, refused });
});

afterEach(() => {
  sound.stop('here');
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function playing(): Promise<FakeSession> {
  await sound.start('audience');
  const session = FakeSession.all.at(-1) as FakeSession;
  session.become('connected');
  await settle();
  return session;
}

test('a session that connects sounds', async () => {
  await playing();
  expect(sound.state).toBe('on');
});

test('a session is begun with the servers its permit brought', async () => {
  const iceServers = [{ urls: ['turns:turn.hall.example:443'], username: 'u', credential: 'c' }];
  await sound.start('audience', { permit: 'p', path: '/whep/room00000001', iceServers });
  expect(FakeSession.all[0]?.iceServers).toEqual(iceServers);
});

test('going on stage silences the audience session only once the stage is connected', async () => {
  const audience = await playing();
  await sound.start('stage', { permit: 's', path: '/whip/room00000001' });
  const stage = FakeSession.all[1] as FakeSession;
  expect([audience.silenced, audience.state, sound.state]).toEqual([false, 'connected', 'on']);
  stage.become('connected');
  await settle();
  expect([audience.silenced, audience.state, audience.farewell, sound.state]).toEqual([true, 'closed', 'ended', 'on']);
  expect(permit).toHaveBeenCalledTimes(1);
});

test('a moved session keeps the old sound until the new one is there, and ends it at the relay', async () => {
  const old = await playing();
  sound.renew(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(old.state).toBe('connected');
  FakeSession.all[1]?.become('connected');
  await settle();
  expect(old.farewell).toBe('here');
});

test('a network that lets nothing through is said, stays said while it is tried again, and clears', async () => {
  await sound.start('audience');
  FakeSession.all[0]?.become('failed');
  expect(sound.state).toBe('blocked');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(FakeSession.all).toHaveLength(2);
  expect(sound.state).toBe('blocked');
  FakeSession.all[1]?.become('connected');
  await settle();
  expect(sound.state).toBe('on');
});

test('a lost connection is said and a new session comes by itself', async () => {
  const session = await playing();
  session.become('failed');
  expect(sound.state).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(2_000);
  FakeSession.all[1]?.become('connected');
  await settle();
  expect(sound.state).toBe('on');
});

test('a browser that wants a tap first gets one button', async () => {
  await sound.start('audience');
  const session = FakeSession.all[0] as FakeSession;
  session.playable = false;
  session.become('connected');
  await settle();
  expect(sound.state).toBe('tap');
  session.playable = true;
  await sound.tapped();
  expect(sound.state).toBe('on');
});

test('a full hall is said and asked again; a removal ends the asking', async () => {
  permit.mockRejectedValueOnce(new Refusal(503, 'NO_RELAY'));
  await sound.start('audience');
  expect(sound.state).toBe('full');
  permit.mockRejectedValueOnce(new Refusal(403, 'REMOVED'));
  await vi.advanceTimersByTimeAsync(3_000);
  expect(refused).toHaveBeenCalledWith('REMOVED');
  const asked = permit.mock.calls.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(permit).toHaveBeenCalledTimes(asked);
});
