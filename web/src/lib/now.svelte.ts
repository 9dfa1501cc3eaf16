// The time, once a second, for clocks and countdowns; it runs only while something shows it.
import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** Milliseconds since 1970; inside an effect or a template it is looked at anew each second. */
export function now(): number {
  subscribe();
  return Date.now();
}
