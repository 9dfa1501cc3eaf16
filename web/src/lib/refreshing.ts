// What is shown stays true: looked up at once, again when the person comes back to the page, and mildly while they look.
import { untrack } from 'svelte';
import type { Clock } from './clock.ts';

/** No two looks within this time: coming back shows itself as focus and as visibility. */
const together = 1_000;

/** Calls `load` now and then, until the function it gives is called; a page that nobody sees asks for nothing. */
export function refreshing(load: () => void, every: number, clock: Clock): () => void {
  let last = -Infinity;
  const look = (): void => {
    const now = clock.now();
    if (document.visibilityState !== 'visible' || now - last < together) return;
    last = now;
    load();
  };
  // Asked from an effect it must not follow what the answer changes.
  untrack(load);
  last = clock.now();
  const stop = clock.every(every, look);
  document.addEventListener('visibilitychange', look);
  addEventListener('focus', look);
  return () => {
    stop();
    document.removeEventListener('visibilitychange', look);
    removeEventListener('focus', look);
  };
}
