// The room that plays, whichever page is shown.
import { attempt } from '../lib/toasts.svelte.ts';
import type { LiveRoom } from './live.svelte.ts';

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

  async leave(): Promise<void> {
    const playing = this.room;
    this.room = null;
    if (playing) await attempt(() => playing.leave());
  }
}

export const player = new Player();
