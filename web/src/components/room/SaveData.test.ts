// @vitest-environment happy-dom
// What listening costs is said, and one tap makes it less: the same session hears in few bits.
import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { settled } from '../../testing/clock.ts';
import { Scene } from '../../testing/page.ts';
import SaveData from './SaveData.svelte';

let scene: Scene;
beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

test('a tap asks for few bits, says what they cost, and keeps the choice', async () => {
  const room = scene.room();
  const page = scene.show(SaveData, { room });
  expect(page.get('hourly').textContent).toContain('26');
  page.get('save-data').querySelector('input')?.click();
  await settled();
  flushSync();
  expect(page.get('hourly').textContent).toContain('7');
  expect([room.listening.wish.thrift, scene.sound.changes, scene.saves]).toEqual([true, 1, '1']);
});

test('before a room is entered the choice alone is made', async () => {
  const page = scene.show(SaveData, {});
  page.get('save-data').querySelector('input')?.click();
  await settled();
  expect([scene.parts.thrift.on, scene.sound.changes]).toEqual([true, 0]);
});

test('who only reads is not told what sound would cost', () => {
  scene.sound.rung = 'text';
  const page = scene.show(SaveData, { room: scene.room() });
  expect(page.find('hourly')).toBeNull();
});
