// What every way up has in common: what it is told, and what it tells.
import type { Packet } from './packets.ts';

/** What a way tells. After `ended` and `broken` it tells nothing more. */
export interface WayEvents {
  /** The relay takes what is said from now on. */
  opened(): void;
  /** The relay lets nothing through: a moderator said so, or does no more. */
  muted(on: boolean): void;
  /** What was sent has not arrived for a while, or arrives again. */
  stalled(on: boolean): void;
  /** The server ended it, or refused it, for this reason. */
  ended(reason: string): void;
  /** Nothing goes through. `spent`: the server may have seen the permit, which opens one session. */
  broken(spent: boolean): void;
}

/** Carries packets up to the gateway. */
export interface Way {
  /** Something waits to be sent. */
  pump(): void;
  /** Says so while the page goes away, too. */
  close(): void;
}

/** What is taken from what waits. */
export interface Waiting {
  take(most?: number): Packet[];
  readonly length: number;
}

/** Milliseconds in which a way has to be open. */
export const openWithin = 4_000;
/** Milliseconds without a sign that anything arrives, after which it is said. */
export const stalledAfter = 2_000;
/** Milliseconds after which the way is given up. */
export const brokenAfter = 5_000;

/** The room of the address at which a permit is spent (`/whip/<room>`). */
export function roomOf(path: string): string {
  return path.split('/').at(-1) ?? '';
}
