// How the tabs of one browser share its few connections.
import { expect, test } from 'vitest';
import { takeSlot } from './stream-slots.ts';

/** Locks of one browser, as its tabs share them: only what is asked for with `ifAvailable`. */
class FakeLocks {
  readonly held = new Set<string>();

  request = async (name: string, _options: LockOptions, use: (lock: Lock | null) => unknown): Promise<unknown> => {
    if (this.held.has(name)) return use(null);
    this.held.add(name);
    try {
      return await use({ name, mode: 'exclusive' });
    } finally {
      this.held.delete(name);
    }
  };
}

test('seven tabs hold three streams, and the next one takes the place of one that goes', async () => {
  const locks = new FakeLocks();
  const tabs = await Promise.all(Array.from({ length: 7 }, () => takeSlot(locks as unknown as LockManager)));
  expect(tabs.filter((release) => release !== null)).toHaveLength(3);
  expect(await takeSlot(locks as unknown as LockManager)).toBeNull();
  tabs.find((release) => release !== null)?.();
  await Promise.resolve();
  await Promise.resolve();
  expect(await takeSlot(locks as unknown as LockManager)).not.toBeNull();
});

test('where the browser shares no locks every tab may stream', async () => {
  expect(await takeSlot(null)).not.toBeNull();
});
