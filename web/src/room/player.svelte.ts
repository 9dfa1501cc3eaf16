// The room that plays, whichever page is shown, and the one rule for leaving it, wherever one leaves from.
import type { Clock } from '../lib/clock.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import { within } from '../lib/within.ts';
import type { LiveRoom } from './live.svelte.ts';

/** What becomes of the room that plays: the person stays, leaves it to itself, or ends it for all. */
export type Parting = 'stay' | 'leave' | 'end';

/** A room whose only moderator is about to leave. */
export interface Question {
  room: LiveRoom;
  answer: (parting: Parting) => void;
}

/** The sound is gone at once; the server's word that the seat is given up is not waited for longer than this. */
const patience = 2_000;

export class Player {
  room = $state.raw<LiveRoom | null>(null);
  question = $state.raw<Question | null>(null);
  readonly #toasts: Pick<Toasts, 'attempt'>;
  readonly #clock: Clock;

  constructor(toasts: Pick<Toasts, 'attempt'>, clock: Clock) {
    this.#toasts = toasts;
    this.#clock = clock;
  }

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

  /** Who leads a room alone is asked what shall become of it; anybody else just leaves. */
  async ask(): Promise<Parting> {
    const { room } = this;
    if (!room?.lastModerator) return 'leave';
    this.question?.answer('stay');
    const parting = await new Promise<Parting>((answer) => (this.question = { room, answer }));
    this.question = null;
    // The room may have ended, or another have come to lead it, while the question stood: leaving is all the same then.
    return parting;
  }

  /** Does what was answered. */
  async part(parting: Parting): Promise<void> {
    const { room } = this;
    if (parting === 'stay' || !room) return;
    if (parting === 'end') await this.#toasts.attempt(() => room.end());
    await this.letGo();
  }

  /** Leaves the room that plays, asking first where that matters; false when the person stays. */
  async leave(): Promise<boolean> {
    const parting = await this.ask();
    await this.part(parting);
    return parting !== 'stay';
  }

  /** Leaves without asking: microphone and sound are let go of before anything is waited for. */
  async letGo(): Promise<void> {
    const playing = this.room;
    this.room = null;
    this.question?.answer('stay');
    if (playing) await within(playing.leave(), patience, undefined, this.#clock);
  }
}
