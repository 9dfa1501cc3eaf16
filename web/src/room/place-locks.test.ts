// What the tabs of one browser learn from each other of a place in a line.
import { expect, test } from 'vitest';
import { settled } from '../testing/clock.ts';
import { placeLocks } from './place-locks.ts';

/** Locks of one browser: one has each, others stand in line behind it. */
class FakeLocks {
  #busy = false;
  readonly #line: (() => void)[] = [];

  request = async (_name: string, options: LockOptions, use: (lock: object | null) => unknown): Promise<unknown> => {
    if (this.#busy && options.ifAvailable) return use(null);
    if (this.#busy) {
      await new Promise<void>((resolve, reject) => {
        this.#line.push(resolve);
        options.signal?.addEventListener('abort', () => {
          this.#line.splice(this.#line.indexOf(resolve), 1);
          reject(new Error('aborted'));
        });
      });
    }
    this.#busy = true;
    try {
      return await use({});
    } finally {
      this.#busy = false;
      this.#line.shift()?.();
    }
  };
}

const browser = (): (() => ReturnType<typeof placeLocks>) => {
  const locks = new FakeLocks() as unknown as LockManager;
  return () => placeLocks('place', locks);
};

test('a tab learns that another one waits, and when that does so no more', async () => {
  const tab = browser();
  const said: string[] = [];
  const leave = tab().hold();
  tab().whenFree(() => said.push('waits'), () => said.push('free'));
  await settled();
  expect(said).toEqual(['waits']);
  leave();
  await settled();
  expect(said).toEqual(['waits', 'free']);
  // It has not taken the place itself by learning of it.
  tab().whenFree(() => said.push('waits again'), () => undefined);
  await settled();
  expect(said).toEqual(['waits', 'free']);
});

test('where no tab of this browser waits, another device does, and nothing is ever said', async () => {
  const said: string[] = [];
  const tab = browser();
  tab().whenFree(() => said.push('waits'), () => said.push('free'));
  await settled();
  expect(said).toEqual([]);
});

test('who asks no more is told nothing, and holds nobody up', async () => {
  const tab = browser();
  const said: string[] = [];
  const leave = tab().hold();
  const stop = tab().whenFree(() => undefined, () => said.push('free'));
  await settled();
  stop();
  leave();
  await settled();
  expect(said).toEqual([]);
  const gone = tab().hold();
  await settled();
  gone();
});

test('without locks nobody waits for anything', () => {
  const { hold, whenFree } = placeLocks('place', null);
  hold()();
  whenFree(() => undefined, () => undefined)();
});
