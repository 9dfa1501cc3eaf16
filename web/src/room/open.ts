// Going into a room: the one that plays, or a new one in its place.
import type { LiveRoom } from './live.svelte.ts';
import type { Player } from './player.svelte.ts';

/** Gives the room of an address; null when the person stays in the one that plays, having been asked. */
export type OpenRoom = (id: string, key: string) => LiveRoom | Promise<LiveRoom | null>;

/** Opens rooms in a player; `make` makes one that nobody is in yet. */
export function opensRooms(player: Player, make: (id: string, key: string) => LiveRoom): OpenRoom {
  function enter(id: string, key: string): LiveRoom {
    void player.letGo();
    const room = make(id, key);
    player.room = room;
    void room.entry.enter();
    return room;
  }

  return (id, key) => {
    const playing = player.room;
    if (playing?.id === id && !playing.view?.gone && !playing.entry.refusal) return playing;
    // Its next try is due anyway: two at once would take each other's seat over.
    if (playing?.id === id && playing.key === key && playing.entry.waiting) {
      void playing.entry.enter();
      return playing;
    }
    if (!playing?.lastModerator) return enter(id, key);
    return player.ask().then(async (parting) => {
      if (parting === 'stay') return null;
      await player.part(parting);
      return enter(id, key);
    });
  };
}
