// What a media session tells the browser's connection, with one that tests play.
import { afterEach, expect, test, vi } from 'vitest';
import { FakeClock, settled } from '../testing/clock.ts';
import { MediaSession, type IceServer, type SessionState } from './session.ts';

const configured: RTCConfiguration[] = [];

class FakeConnection extends EventTarget {
  connectionState = 'new';
  iceConnectionState = 'new';
  heard = 0;
  asked = 0;
  constructor(configuration: RTCConfiguration) {
    super();
    configured.push(configuration);
    connections.push(this);
  }
  become(state: string): void {
    this.connectionState = this.iceConnectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
  getStats = async (): Promise<Map<string, object>> =>
    new Map([['pair', { type: 'candidate-pair', requestsSent: this.asked, responsesReceived: this.heard }]]);
  close = (): void => undefined;
}

const connections: FakeConnection[] = [];

/** A session that is connected to a relay, and what it told of its state since. */
function connected(): { clock: FakeClock; connection: FakeConnection; told: SessionState[]; session: MediaSession } {
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  const [clock, told] = [new FakeClock(), [] as SessionState[]];
  const session = new MediaSession('audience', (state) => void told.push(state), clock);
  const connection = connections.pop() as FakeConnection;
  connection.become('connected');
  return { clock, connection, told, session };
}

function opened(servers?: IceServer[]): RTCConfiguration | undefined {
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  new MediaSession('audience', () => undefined, new FakeClock(), servers).close('ended');
  return configured.pop();
}

afterEach(() => void vi.unstubAllGlobals());

test('the servers of the permit are there before the browser looks for ways', () => {
  const turn = { urls: ['turns:turn.hall.example:443'], username: '1772409600:abc', credential: 'secret' };
  expect(opened([turn])?.iceServers).toEqual([turn]);
});

test('a server without a password is given without an empty one', () => {
  const stun = { urls: ['stun:turn.hall.example:3478'], username: '', credential: '' };
  expect(opened([stun])?.iceServers).toEqual([{ urls: ['stun:turn.hall.example:3478'] }]);
});

test('a permit without servers, or of an older server, opens a session all the same', () => {
  expect(opened()?.iceServers).toEqual([]);
  expect(opened([])?.iceServers).toEqual([]);
});

test('a relay that answers nothing any more is told as lost within three seconds, and given up later', async () => {
  const { clock, connection, told } = connected();
  for (let at = 0; at < 6; at++) {
    connection.asked += 4;
    await clock.pass(500);
  }
  expect(told).toEqual(['connected', 'lost']);
  await clock.pass(3_000);
  expect(told).toEqual(['connected', 'lost', 'failed']);
});

test('a relay that was only frozen is connected again as soon as it answers', async () => {
  const { clock, connection, told, session } = connected();
  for (let at = 0; at < 6; at++) {
    connection.asked += 4;
    await clock.pass(500);
  }
  connection.heard += 24;
  await clock.pass(500);
  expect(told).toEqual(['connected', 'lost', 'connected']);
  await clock.pass(60_000);
  expect(told).toHaveLength(3);
  session.close('ended');
});

test('a browser that says itself that the connection is interrupted is believed at once, once', async () => {
  const { clock, connection, told, session } = connected();
  connection.become('disconnected');
  await settled();
  expect(told).toEqual(['connected', 'lost']);
  connection.become('connected');
  await clock.pass(10_000);
  expect(told).toEqual(['connected', 'lost', 'connected']);
  session.close('ended');
});

test('a session that is over asks the connection nothing more', async () => {
  const { clock, connection, session } = connected();
  session.close('ended');
  connection.getStats = () => Promise.reject(new Error('closed'));
  connection.asked += 100;
  await clock.pass(10_000);
  expect(session.state).toBe('closed');
});
