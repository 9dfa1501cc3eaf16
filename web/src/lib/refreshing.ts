// What is shown stays true: looked up at once, again when the person comes back to the page, and mildly while they look.
import { untrack } from 'svelte';

/** No two looks within this time: coming back shows itself as focus and as visibility. */
const together = 1_000;

/** Calls `load` now and then, until the function it gives is called; a page that nobody sees asks for nothing. */
export function refreshing(load: () => void, every: number): () => void {
  let last = -Infinity;
  const look = (): void => {
    const now = performance.now();
    if (document.visibilityState !== 'visible' || now - last < together) return;
    last = now;
    load();
  };
  // Asked from an effect it must not follow what the answer changes.
  untrack(load);
  last = performance.now();
  const timer = setInterval(look, every);
  document.addEventListener('visibilitychange', look);
  addEventListener('focus', look);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', look);
    removeEventListener('focus', look);
  };
}
