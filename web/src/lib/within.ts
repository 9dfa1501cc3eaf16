// Waiting for somebody else, but not for ever.
import type { Clock, Stop } from './clock.ts';

/** What the promise brings, or `otherwise` when it fails or takes longer than `milliseconds`. */
export async function within<T>(promise: Promise<T>, milliseconds: number, otherwise: T, clock: Clock): Promise<T> {
  let stop: Stop | undefined;
  const late = new Promise<T>((resolve) => (stop = clock.after(milliseconds, () => resolve(otherwise))));
  try {
    return await Promise.race([promise.catch(() => otherwise), late]);
  } finally {
    stop?.();
  }
}
