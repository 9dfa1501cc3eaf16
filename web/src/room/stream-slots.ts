// Which tabs of this browser hold an event stream: over HTTP/1.1 all of them share six connections, and calls need some.

/** So many tabs hold a stream at once; the others ask from time to time. */
const most = 3;

/** Gives a place among the streams back. */
export type Release = () => void;

/** Takes a place among the streams of all tabs, without waiting: null when all are taken. A tab that closes gives its own back. */
export async function takeSlot(locks: LockManager | null = sharedLocks()): Promise<Release | null> {
  if (!locks) return () => undefined;
  for (let slot = 0; slot < most; slot++) {
    const release = await hold(locks, `majlis-stream-${slot}`);
    if (release) return release;
  }
  return null;
}

/** Pages without HTTPS have no locks to share, and neither microphone nor passkeys. */
function sharedLocks(): LockManager | null {
  return (globalThis.navigator as Partial<Navigator> | undefined)?.locks ?? null;
}

function hold(locks: LockManager, name: string): Promise<Release | null> {
  return new Promise((resolve) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise<void>((release) => resolve(release));
      })
      // A browser that refuses locks has none to share either.
      .catch(() => resolve(() => undefined));
  });
}
