// What a media session tells the browser's connection, with one that tests play.
import { afterEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { MediaSession, type IceServer } from './session.ts';

const configured: RTCConfiguration[] = [];

class FakeConnection extends EventTarget {
  constructor(configuration: RTCConfiguration) {
    super();
    configured.push(configuration);
  }
  close = (): void => undefined;
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
