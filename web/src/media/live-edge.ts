// Close to the end of a live stream: where to play and how fast, from what has come so far. Pure.

/** A stretch of sound that has come, in seconds. */
export interface Stretch {
  start: number;
  end: number;
}

/** What to do with the player: jump, when that is needed, and the speed from now on. */
export interface Course {
  jump: number | null;
  rate: number;
}

/** Sound comes in pieces of 0.4 s: with so much ahead just after one came, half a second is left before the next. */
const calm = 0.9;
/** A network that stutters gets more, and no more than this: what is heard is never two seconds old. */
const most = 1.4;
/** Each stall asks for so much more. */
const step = 0.2;
/** After so many milliseconds without one it is tried with a little less again. */
const patience = 30_000;
/** Beyond what is wanted by this much the player is a little faster; nobody hears that. */
const slack = 0.25;
const faster = 1.06;
/** Beyond what is wanted by this much it jumps. */
const late = 1.0;
/** What was heard is not kept for longer. */
const kept = 10;

/** Pieces of a channel in few bits last so much longer. */
export const longer = 0.8;

export class LiveEdge {
  readonly #more: number;
  #wanted: number;
  #rate = 1;
  #since = 0;

  /** `more` seconds are to be ahead than for pieces of 0.4 s. */
  constructor(more = 0) {
    this.#more = more;
    this.#wanted = calm + more;
  }

  /** Seconds that are to be ahead just after a piece came. */
  get wanted(): number {
    return this.#wanted;
  }

  /** The player ran dry. */
  stalled(now: number): void {
    this.#wanted = Math.min(most + this.#more, this.#wanted + step);
    this.#since = now;
  }

  /** Whether enough has come to begin. */
  mayBegin(ranges: readonly Stretch[]): boolean {
    const last = ranges.at(-1);
    return last !== undefined && last.end - last.start >= this.#wanted - 0.2;
  }

  /** Just after a piece came, with the player at a place. */
  follow(ranges: readonly Stretch[], at: number, now: number): Course {
    if (now - this.#since > patience) {
      this.#wanted = Math.max(calm + this.#more, this.#wanted - step / 2);
      this.#since = now;
    }
    const last = ranges.at(-1);
    if (!last) return { jump: null, rate: 1 };
    const ahead = last.end - at;
    // In a hole: pieces were left out for a slow network, and what is said now stands after it.
    if (at < last.start || ahead < 0 || ahead > this.#wanted + late) {
      this.#rate = 1;
      return { jump: Math.max(last.start, last.end - this.#wanted), rate: 1 };
    }
    if (ahead > this.#wanted + slack) this.#rate = faster;
    else if (ahead <= this.#wanted) this.#rate = 1;
    return { jump: null, rate: this.#rate };
  }
}

/** Until where what was heard may be forgotten; 0 for nothing yet. */
export function forgettable(ranges: readonly Stretch[], at: number): number {
  const first = ranges[0];
  return first && at - first.start > kept ? at - kept / 2 : 0;
}
