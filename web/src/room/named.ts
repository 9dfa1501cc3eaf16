// Who speaks, where the sound does not say it: over HTTPS the packets name nobody, and where there is only text there are none.
import type { Clock, Stop } from '../lib/clock.ts';
import type { Levels } from '../media/levels.ts';
import type { Sound } from './sound.svelte.ts';

/** How often it is looked whether the sound names its speakers. */
const look = 1_000;
/** What is told of speakers is so old when it comes, in milliseconds. */
const age = 600;

export class Named {
  readonly #sound: Pick<Sound, 'rung' | 'behind'>;
  readonly #levels: Pick<Levels, 'name'>;
  readonly #clock: Clock;
  #stopLooking: Stop | null = null;
  #waiting = new Set<Stop>();
  #asked = false;

  constructor(sound: Pick<Sound, 'rung' | 'behind'>, levels: Pick<Levels, 'name'>, clock: Clock) {
    [this.#sound, this.#levels, this.#clock] = [sound, levels, clock];
  }

  /** Whether the server is to say who speaks. */
  asks(): boolean {
    return (this.#asked = this.#sound.rung !== 'call');
  }

  /** Calls `renew` whenever the server is to be asked otherwise than it was. */
  follow(renew: () => void): void {
    this.#stopLooking ??= this.#clock.every(look, () => {
      if (this.#asked === this.asks()) return;
      if (!this.#asked) this.take([]);
      renew();
    });
  }

  /** Shows who speaks when they are heard here: sound over HTTPS comes later than the word of it. */
  take(members: readonly number[]): void {
    const late = this.#sound.rung === 'https' ? Math.max(0, this.#sound.behind * 1_000 - age) : 0;
    const stop = this.#clock.after(late, () => {
      this.#waiting.delete(stop);
      this.#levels.name(this.#asked ? members : []);
    });
    this.#waiting.add(stop);
  }

  close(): void {
    this.#stopLooking?.();
    this.#stopLooking = null;
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
    this.#levels.name([]);
  }
}
