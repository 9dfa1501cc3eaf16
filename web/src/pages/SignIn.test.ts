// @vitest-environment happy-dom
// The page of signing in, which is home for who has no account yet.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepingIn } from '../lib/door-line.svelte.ts';
import { keep, recall } from '../lib/storage.ts';
import { Scene } from '../testing/page.ts';
import SignIn from './SignIn.svelte';

let scene: Scene;

beforeEach(() => {
  localStorage.clear();
  vi.stubGlobal('isSecureContext', false);
  scene = new Scene();
});
afterEach(async () => {
  await scene.strike();
  vi.unstubAllGlobals();
});

test('who waits before the doors finds the way back to their place', () => {
  expect(scene.show(SignIn, { next: '/' }).find('back-to-line')).toBeNull();
  keepingIn(recall, keep, 'codecodecode').save({ request: 'a'.repeat(32), displayName: 'Lina', handle: 'lina' });
  expect(scene.show(SignIn, { next: '/' }).get('back-to-line').getAttribute('href')).toBe('/i/codecodecode');
});
