// @vitest-environment happy-dom
// The ticket of who waits: what the browser's network means for it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import en from '../i18n/en.json';
import { Scene } from '../testing/page.ts';
import LineTicket from './LineTicket.svelte';

let scene: Scene;

beforeEach(() => (scene = new Scene()));
afterEach(() => scene.strike());

test('who waits is told at once when the browser loses the network, and looks again when it is back', () => {
  let looks = 0;
  const shown = scene.show(LineTicket, { place: 2, waiting: 5, wait: 120, look: () => (looks += 1) });
  const told = (): boolean => shown.text.includes(en['line.away']);
  expect(told()).toBe(false);
  scene.network.goes();
  expect([told(), looks]).toEqual([true, 0]);
  scene.network.comesBack();
  expect([told(), looks]).toEqual([false, 1]);
});

test('whoever is next is told so where nobody can say how long it takes, and those behind that nobody can', () => {
  const told = (place: number): string => scene.show(LineTicket, { place, waiting: 3, look: () => undefined }).text;
  expect(told(2)).toContain(en['line.waitUnknown']);
  const lots = scene.show(LineTicket, { place: 1, waiting: 3, lots: true, look: () => undefined }).text;
  expect(lots).toContain(en['line.first']);
  expect(lots).not.toContain(en['line.next']);
  const next = told(1);
  expect(next).toContain(en['line.next']);
});
