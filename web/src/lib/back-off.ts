// Trying again: how long to wait before each try, longer each time and spread, so that a crowd that was sent away at once does not come back at once.
import type { Clock, Stop } from './clock.ts';

export interface Pace {
  /** Milliseconds of the first wait at most; each one after it may be twice as long. */
  first: number;
  /** Milliseconds of any wait at most. */
  longest: number;
  /** The share of a wait that chance decides: 1 spreads the widest, 0 is always the same. */
  chance: number;
  /** So many tries come as soon as the first. Left out: one. */
  prompt?: number;
  /** Milliseconds that come on top of every wait. */
  least?: number;
}

/** What is tried again, each at its pace. */
export const paces = {
  /** A stream that broke: at once within two seconds, wider each time. */
  stream: { first: 2_000, longest: 20_000, chance: 1 },
  /** A tab without a stream asks what is missing; others of this browser hold as many streams as may be. */
  turn: { first: 3_000, longest: 3_000, chance: 2 / 3 },
  /** A session that failed. A relay that restarts is back within seconds: some tries come quickly before they spread wider. */
  sound: { first: 2_000, longest: 20_000, chance: 1, prompt: 4, least: 300 },
  /** Listening over HTTPS: a gateway that was exchanged is back at once, and its listeners come spread. */
  live: { first: 600, longest: 10_000, chance: 1, prompt: 3, least: 100 },
  /** A room that is full or away. */
  door: { first: 2_000, longest: 30_000, chance: 0.5 },
  /** Who uses this page: nobody waits for more than some ten seconds. */
  account: { first: 2_000, longest: 8_000, chance: 0.5 },
  /** Part of a page that could not be loaded. */
  page: { first: 4_000, longest: 4_000, chance: 0 },
} satisfies Record<string, Pace>;

/** Milliseconds before a try; `hint` is what the server asked for besides, which the first wait takes only a share of. */
export function waitBefore(pace: Pace, tries: number, random: number, hint = 0): number {
  const { first, longest, chance, prompt = 1, least = 0 } = pace;
  const span = Math.min(first * 2 ** Math.max(0, tries + 1 - prompt), longest);
  return least + hint * (tries === 0 ? random : 1) + span * (1 - chance + chance * random);
}

/** One thing that is tried again until it works. */
export class BackOff {
  readonly #pace: Pace;
  readonly #clock: Clock;
  readonly #random: () => number;
  #tries = 0;
  #act: (() => void) | null = null;
  #stop: Stop | null = null;

  constructor(pace: Pace, clock: Clock, random: () => number) {
    this.#pace = pace;
    this.#clock = clock;
    this.#random = random;
  }

  /** How many waits there were since it worked. */
  get tries(): number {
    return this.#tries;
  }

  /** Calls back after the next wait; what was to come before it is taken back. */
  again(act: () => void, hint = 0): void {
    this.stop();
    this.#act = act;
    this.#stop = this.#clock.after(waitBefore(this.#pace, this.#tries++, this.#random(), hint), () => this.hurry());
  }

  /** Does now what waits, if anything does: the network came back. */
  hurry(): void {
    const act = this.#act;
    this.stop();
    act?.();
  }

  /** It worked, or somebody asked by hand: the next wait is a first one. */
  reset(): void {
    this.#tries = 0;
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
    this.#act = null;
  }
}

/** Makes a back-off of a pace; who tries something again is given this. */
export type Waits = (pace: Pace) => BackOff;

export function waitsBy(clock: Clock, random: () => number): Waits {
  return (pace) => new BackOff(pace, clock, random);
}
