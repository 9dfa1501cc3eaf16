// The time, once a second, for clocks and countdowns; it runs only while something shows it.
import { createSubscriber } from 'svelte/reactivity';
import type { Clock } from './clock.ts';

/** Milliseconds since 1970; inside an effect or a template what it gives is looked at anew each second. */
export function everySecond(clock: Clock): () => number {
  const subscribe = createSubscriber((update) => clock.every(1000, update));
  return () => {
    subscribe();
    return Date.now();
  };
}
