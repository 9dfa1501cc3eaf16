// What a lock screen shows of a room, and what its keys do.
import { beforeEach, expect, test } from 'vitest';
import { LockScreen, type Keys, type Sounding } from './lock-screen.ts';

class FakeKeys implements Keys {
  metadata: MediaMetadata | null = null;
  playbackState: MediaSessionPlaybackState = 'none';
  readonly does = new Map<MediaSessionAction, MediaSessionActionHandler | null>();
  setActionHandler(action: MediaSessionAction, handler: MediaSessionActionHandler | null): void {
    if (action === 'stop') throw new TypeError('unknown here');
    this.does.set(action, handler);
  }
}

const steps: string[] = [];
const room: Sounding = { title: 'Evening', by: 'Amal', at: 'Majlis', playing: true, steer: { play: () => void steps.push('play'), pause: () => void steps.push('pause') } };
let keys: FakeKeys;
let made: number;
let screen: LockScreen;

beforeEach(() => {
  keys = new FakeKeys();
  made = 0;
  steps.length = 0;
  screen = new LockScreen(keys, (about) => (made++, about as MediaMetadata));
});

test('a room that sounds is shown with its title, and its keys pause and play it', () => {
  screen.show(room);
  expect([keys.metadata?.title, keys.metadata?.artist, keys.playbackState]).toEqual(['Evening', 'Amal', 'playing']);
  keys.does.get('pause')?.({ action: 'pause' });
  screen.show({ ...room, playing: false });
  keys.does.get('play')?.({ action: 'play' });
  expect([steps, keys.playbackState, made]).toEqual([['pause', 'play'], 'paused', 1]);
});

test('who is on stage is not silenced by a key, and a room that was left is gone from the screen', () => {
  screen.show({ ...room, steer: null });
  expect(keys.does.get('pause')).toBeNull();
  screen.show(null);
  expect([keys.metadata, keys.playbackState, keys.does.get('play')]).toEqual([null, 'none', null]);
});

test('a browser that shows nothing of the kind is left alone', () => {
  const none = new LockScreen(undefined, () => expect.fail('nothing to describe'));
  none.show(room);
  none.show(null);
});
