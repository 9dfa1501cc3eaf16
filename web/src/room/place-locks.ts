// Which tab of this browser waits at a place in a line: another tab of it learns when that one is closed.
import type { Stop } from '../lib/clock.ts';

/** What is known between the tabs of one browser about one place. */
export interface PlaceLocks {
  /** This tab waits there, until the function it gives is called or the tab is closed. */
  hold(): Stop;
  /** Calls back once another tab of this browser is found to wait there, and once it does so no more; never where none does. */
  whenFree(found: () => void, act: () => void): Stop;
}

/** Pages without HTTPS have no locks to share: whoever was sent away comes back by hand there. */
export function placeLocks(name: string, locks: LockManager | null = (globalThis.navigator as Partial<Navigator> | undefined)?.locks ?? null): PlaceLocks {
  /** Waits for the lock and has it until stopped. */
  function take(got: (free: () => void) => void): Stop {
    const abort = new AbortController();
    let free = (): void => abort.abort();
    locks
      ?.request(name, { signal: abort.signal }, () => {
        return new Promise<void>((resolve) => {
          free = resolve;
          got(resolve);
        });
      })
      // Stopped before it came, or a browser that refuses locks.
      .catch(() => undefined);
    return () => free();
  }

  return {
    hold: () => take(() => undefined),
    whenFree: (found, act) => {
      let over = false;
      let stop: Stop = () => undefined;
      void locks
        ?.request(name, { ifAvailable: true }, (lock) => {
          // Nobody here has it: it is another device that waits.
          if (lock || over) return;
          found();
          stop = take((free) => {
            free();
            if (!over) act();
          });
        })
        .catch(() => undefined);
      return () => {
        over = true;
        stop();
      };
    },
  };
}
