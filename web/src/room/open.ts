// Going into a room: the one that plays, or a new one in its place.
import { session } from '../lib/session.svelte.ts';
import { attempt } from '../lib/toasts.svelte.ts';
import { LiveRoom } from './live.svelte.ts';
import { player } from './player.svelte.ts';

/** The room of an address. */
export function openRoom(id: string, key: string): LiveRoom {
  const playing = player.room;
  if (playing?.id === id && !playing.view?.gone && !playing.refusal) return playing;
  // Its next try is due anyway: two at once would take each other's seat over.
  if (playing?.id === id && playing.key === key && playing.waiting) {
    void playing.enter();
    return playing;
  }
  if (playing) void attempt(() => playing.leave());
  const room = new LiveRoom(id, key, session.me);
  player.room = room;
  void room.enter();
  return room;
}
