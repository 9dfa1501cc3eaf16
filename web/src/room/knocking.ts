// A room that cannot be entered just now: whether another try may help, and how long to wait before it. Pure.
import { reasonOf, unreachable } from '../lib/refusal.ts';

/** No relay has room, or a part is away: that passes. A room as full as it may be is not among them. */
const passing = new Set(['NO_RELAY', 'RELAY_FULL', 'RELAY_BUSY', 'RELAY_DRAINING', 'PART_UNAVAILABLE', 'DRAINING', 'TOO_SLOW', 'CONFLICT']);
const first = 2_000;
const longest = 30_000;
/** About ten minutes: whoever waits longer has gone, and a crowd of forgotten pages must not knock for ever. */
export const mostTries = 24;

/** True when the server may let the person in a little later, and few enough tries were made. */
export function worthAnotherTry(error: unknown, tries: number): boolean {
  return tries < mostTries && (passing.has(reasonOf(error)) || unreachable(error));
}

/** Milliseconds before the next try: longer each time, and never the same for everybody who was sent away at once. */
export function pauseBefore(tries: number, random: number): number {
  return Math.min(first * 2 ** tries, longest) * (0.5 + random / 2);
}
