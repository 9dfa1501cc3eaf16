// A page that stays open stays true, and asks for nothing while nobody looks.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../testing/clock.ts';
import { refreshing } from './refreshing.ts';

const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
const view = new EventTarget();
let clock: FakeClock;
let loads: number;
let stop: () => void;

beforeEach(() => {
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', view.addEventListener.bind(view));
  vi.stubGlobal('removeEventListener', view.removeEventListener.bind(view));
  page.visibilityState = 'visible';
  clock = new FakeClock();
  loads = 0;
  stop = refreshing(() => void loads++, 15_000, clock);
});

afterEach(() => {
  stop();
  vi.unstubAllGlobals();
});

function comesBack(): void {
  page.visibilityState = 'visible';
  page.dispatchEvent(new Event('visibilitychange'));
  view.dispatchEvent(new Event('focus'));
}

test('it is looked up at once and every so often', async () => {
  expect(loads).toBe(1);
  await clock.pass(45_000);
  expect(loads).toBe(4);
});

test('who comes back sees it fresh, asked for once; a page in the background asks for nothing', async () => {
  page.visibilityState = 'hidden';
  await clock.pass(600_000);
  expect(loads).toBe(1);
  comesBack();
  expect(loads).toBe(2);
});

test('a page that was left asks for nothing', async () => {
  stop();
  await clock.pass(600_000);
  comesBack();
  expect(loads).toBe(1);
});
