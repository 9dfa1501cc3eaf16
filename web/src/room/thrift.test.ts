import { expect, test } from 'vitest';
import { savesData, Thrift } from './thrift.svelte.ts';

function browser(asked: boolean, kept: string | null = null) {
  const box = { kept, recall: () => box.kept, keep: (text: string) => void (box.kept = text), asked: () => asked };
  return box;
}

test('a browser that saves data hears in few bits, until somebody chooses', () => {
  const box = browser(true);
  const thrift = new Thrift(box);
  expect(thrift.on).toBe(true);
  thrift.choose(false);
  expect([thrift.on, new Thrift(box).on]).toEqual([false, false]);
});

test('a choice outlives a reload, and others hear in full', () => {
  const box = browser(false);
  expect(new Thrift(box).on).toBe(false);
  new Thrift(box).choose(true);
  expect(new Thrift(box).on).toBe(true);
});

test('browsers without the interface save nothing', () => {
  expect(savesData({} as Navigator)).toBe(false);
  expect(savesData({ connection: { saveData: true } } as unknown as Navigator)).toBe(true);
});
