// The room that plays, whichever page is shown.
import { session } from '../lib/session.svelte.ts';
import { attempt } from '../lib/toasts.svelte.ts';
import { LiveRoom } from './live.svelte.ts';

class Player {
  room = $state.raw<LiveRoom | null>(null);

  start(): void {
    addEventListener('pagehide', () => {
      this.room?.vanish();
      this.room = null;
    });
    // A page that comes back from the browser's memory begins anew.
    addEventListener('pageshow', (event) => {
      if (event.persisted) location.reload();
    });
  }

  /** The room of an address: the one that plays, or a new one in its place. */
  open(id: string, key: string): LiveRoom {
    const playing = this.room;
    if (playing?.id === id && !playing.view?.gone && !playing.refusal) return playing;
    if (playing) void attempt(() => playing.leave());
    const room = new LiveRoom(id, key, session.me);
    this.room = room;
    void room.enter();
    return room;
  }

  async leave(): Promise<void> {
    const playing = this.room;
    this.room = null;
    if (playing) await attempt(() => playing.leave());
  }
}

export const player = new Player();
