// Going into a room: the one that plays, or a new one in its place.
import { session } from '../lib/session.svelte.ts';
import { LiveRoom } from './live.svelte.ts';
import { player } from './player.svelte.ts';

/** The room of an address; null when the person stays in the one that plays, having been asked. */
export function openRoom(id: string, key: string): LiveRoom | Promise<LiveRoom | null> {
  const playing = player.room;
  if (playing?.id === id && !playing.view?.gone && !playing.refusal) return playing;
  // Its next try is due anyway: two at once would take each other's seat over.
  if (playing?.id === id && playing.key === key && playing.waiting) {
    void playing.enter();
    return playing;
  }
  if (!playing?.lastModerator) return enter(id, key);
  return player.ask().then(async (parting) => {
    if (parting === 'stay') return null;
    await player.part(parting);
    return enter(id, key);
  });
}

function enter(id: string, key: string): LiveRoom {
  void player.letGo();
  const room = new LiveRoom(id, key, session.me);
  player.room = room;
  void room.enter();
  return room;
}
