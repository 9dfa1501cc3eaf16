// A room that cannot be entered just now: whether another try may help, and how long to wait before it. Pure.
import { passes } from '../lib/refusal.ts';

const first = 2_000;
const longest = 30_000;
/** About ten minutes: whoever waits longer has gone, and a crowd of forgotten pages must not knock for ever. */
export const mostTries = 24;

/** True when the server may let the person in a little later, and few enough tries were made. */
export function worthAnotherTry(error: unknown, tries: number): boolean {
  return tries < mostTries && passes(error);
}

/** Milliseconds before the next try: longer each time, and never the same for everybody who was sent away at once. */
export function pauseBefore(tries: number, random: number): number {
  return Math.min(first * 2 ** tries, longest) * (0.5 + random / 2);
}
