// A page that stays open stays true, and asks for nothing while nobody looks.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { refreshing } from './refreshing.ts';

const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
const load = vi.fn();
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  const view = new EventTarget();
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', view.addEventListener.bind(view));
  vi.stubGlobal('removeEventListener', view.removeEventListener.bind(view));
  vi.stubGlobal('dispatch', (name: string) => view.dispatchEvent(new Event(name)));
  page.visibilityState = 'visible';
  load.mockClear();
  stop = refreshing(load, 15_000);
});

afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function comesBack(): void {
  page.visibilityState = 'visible';
  page.dispatchEvent(new Event('visibilitychange'));
  (globalThis as unknown as { dispatch: (name: string) => void }).dispatch('focus');
}

test('it is looked up at once and every so often', () => {
  expect(load).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(45_000);
  expect(load).toHaveBeenCalledTimes(4);
});

test('who comes back sees it fresh, asked for once; a page in the background asks for nothing', () => {
  page.visibilityState = 'hidden';
  vi.advanceTimersByTime(600_000);
  expect(load).toHaveBeenCalledTimes(1);
  comesBack();
  expect(load).toHaveBeenCalledTimes(2);
});

test('a page that was left asks for nothing', () => {
  stop();
  vi.advanceTimersByTime(600_000);
  comesBack();
  expect(load).toHaveBeenCalledTimes(1);
});
