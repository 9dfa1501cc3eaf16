// The rungs on which a room is heard, and which one this network was good for last.
import type { Key } from '../i18n/i18n.svelte.ts';

/** A call; a stream over HTTPS; nothing but text. */
export type Rung = 'call' | 'https' | 'text';

/** Why one is not in a call: the network blocks it, it broke and comes again, or no relay has room. */
export type Cause = 'blocked' | 'broke' | 'full';

/** By itself the best that works, or by hand nothing but text. */
export type Chosen = 'auto' | 'text';

const webWords: Record<Cause, Key> = { blocked: 'sound.web.blocked', broke: 'sound.web.broke', full: 'sound.web.full' };

/** What is said of the way the sound takes; null while it takes the best, or none. */
export function rungWords({ state, rung, way, cause }: { state: string; rung: Rung; way: string; cause: Cause }): Key | null {
  if (state !== 'on' && state !== 'tap') return null;
  if (rung === 'https') return webWords[cause];
  return rung === 'call' && way === 'tcp' ? 'sound.tcp' : null;
}

/** Where it is kept which rung worked last. */
export interface HintBox {
  recall(): string | null;
  keep(text: string | null): void;
  /** What kind of network the browser says it is on; the empty word where it says nothing. */
  network(): string;
  /** Milliseconds since 1970. */
  now(): number;
}

/** A network is no longer the same after half a day: people move. */
const kept = 12 * 3600_000;

/** Remembers that calls were blocked here, so that nobody waits for them in silence again. */
export class RungHint {
  readonly #box: HintBox;

  constructor(box: HintBox) {
    this.#box = box;
  }

  /** Whether a stream over HTTPS was the best that worked here lately. */
  get low(): boolean {
    try {
      const { rung, network, at } = JSON.parse(this.#box.recall() ?? '{}') as Record<string, unknown>;
      const age = typeof at === 'number' ? this.#box.now() - at : NaN;
      return rung === 'https' && network === this.#box.network() && age >= 0 && age < kept;
    } catch {
      return false;
    }
  }

  /** What was the best that worked; calls are what is tried anyway. */
  note(rung: 'call' | 'https'): void {
    this.#box.keep(rung === 'call' ? null : JSON.stringify({ rung, network: this.#box.network(), at: this.#box.now() }));
  }

  /** Another network: nothing is known of it. */
  forget(): void {
    this.#box.keep(null);
  }
}
