// The microphone with a browser that tests play.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Microphone } from './microphone.svelte.ts';

class FakeTrack extends EventTarget {
  readyState = 'live';
  enabled = true;
  stop = (): void => void (this.readyState = 'ended');
  unplug(): void {
    this.readyState = 'ended';
    this.dispatchEvent(new Event('ended'));
  }
}

let microphone: Microphone;
let tracks: FakeTrack[];
let allow: (() => void)[];

beforeEach(() => {
  microphone = new Microphone();
  tracks = [];
  allow = [];
  const getUserMedia = (): Promise<unknown> =>
    new Promise((resolve) => {
      const track = new FakeTrack();
      tracks.push(track);
      allow.push(() => resolve({ getTracks: () => [track], getAudioTracks: () => [track] }));
    });
  const node = { connect: () => undefined };
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
  vi.stubGlobal(
    'AudioContext',
    class {
      resume = async (): Promise<void> => undefined;
      close = async (): Promise<void> => undefined;
      createAnalyser = (): unknown => ({ ...node });
      createMediaStreamSource = (): unknown => ({ ...node });
    },
  );
});

afterEach(() => {
  microphone.close();
  vi.unstubAllGlobals();
});

test('it is asked for once, however many want it at the same time', async () => {
  const asked = [microphone.open(), microphone.open()];
  allow.forEach((yes) => yes());
  expect(await Promise.all(asked)).toEqual([true, true]);
  expect(tracks.length).toBe(1);
  expect([microphone.state, microphone.track]).toEqual(['live', tracks[0]]);
});

test('one that is given while nobody wants it any more is given back at once', async () => {
  const asked = microphone.open();
  microphone.close();
  allow.forEach((yes) => yes());
  expect(await asked).toBe(false);
  expect([microphone.state, microphone.track, tracks[0]?.readyState]).toEqual(['off', null, 'ended']);
});

test('who wants it again while the first question is still open gets one', async () => {
  const before = microphone.open();
  microphone.close();
  const again = microphone.open();
  allow.forEach((yes) => yes());
  expect(await Promise.all([before, again])).toEqual([false, true]);
  expect([microphone.state, microphone.track, tracks[0]?.readyState]).toEqual(['live', tracks[1], 'ended']);
});

test('one that is unplugged is said to be missing, and can be asked for again', async () => {
  const first = microphone.open();
  allow[0]?.();
  await first;
  tracks[0]?.unplug();
  expect([microphone.state, microphone.track]).toEqual(['missing', null]);
  const again = microphone.open();
  allow[1]?.();
  expect(await again).toBe(true);
  expect(microphone.state).toBe('live');
});

test('what the person switched off stays off until they switch it on, whatever happens elsewhere', async () => {
  const asked = microphone.open();
  allow[0]?.();
  await asked;
  microphone.hold();
  microphone.enable(true);
  expect([tracks[0]?.enabled, microphone.held]).toEqual([false, true]);
  microphone.release();
  expect(tracks[0]?.enabled).toBe(true);
  microphone.enable(false);
  expect(tracks[0]?.enabled).toBe(false);
});
