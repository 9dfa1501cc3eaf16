// Packets of the own voice on their way up, and how many of them may wait. Pure.
import type { Clock } from '../../lib/clock.ts';

/** One Opus packet (RFC 6716). */
export interface Packet {
  /** When it was said, in samples at 48 kHz from some moment on. */
  at: number;
  opus: Uint8Array;
}

/** Samples a second of Opus's clock. */
export const rate = 48_000;

/** How long a packet sounds, in samples at 48 kHz, from its first two bytes (RFC 6716, section 3); 0 where it is none. */
export function samplesOf(opus: Uint8Array): number {
  const [toc, second = 0] = opus;
  if (toc === undefined) return 0;
  const mode = toc >> 3;
  const frame = mode < 12 ? [480, 960, 1920, 2880][mode & 3] : mode < 16 ? [480, 960][mode & 1] : [120, 240, 480, 960][mode & 3];
  const frames = [1, 2, 2, second & 63][toc & 3] ?? 0;
  return (frame ?? 0) * frames;
}

/** Packets that wait to be sent. The newest count: what waited too long is dropped, and speech goes on with what is said now. */
export class Backlog {
  readonly #clock: Clock;
  readonly #longest: number;
  #waiting: { packet: Packet; since: number }[] = [];
  #dropped = 0;

  /** Keeps packets for `longest` milliseconds. */
  constructor(clock: Clock, longest: number) {
    this.#clock = clock;
    this.#longest = longest;
  }

  /** How many packets were never sent. */
  get dropped(): number {
    this.#forget();
    return this.#dropped;
  }

  get length(): number {
    this.#forget();
    return this.#waiting.length;
  }

  put(packet: Packet): void {
    this.#waiting.push({ packet, since: this.#clock.now() });
    this.#forget();
  }

  /** Takes up to so many out, the oldest first. */
  take(most = Infinity): Packet[] {
    this.#forget();
    return this.#waiting.splice(0, most).map(({ packet }) => packet);
  }

  clear(): void {
    this.#waiting = [];
  }

  #forget(): void {
    const oldest = this.#clock.now() - this.#longest;
    const first = this.#waiting.findIndex(({ since }) => since >= oldest);
    const gone = first < 0 ? this.#waiting.length : first;
    this.#waiting.splice(0, gone);
    this.#dropped += gone;
  }
}
