// Signs of booths: what stands, for how long, and whom it is for.
import { create } from '@bufbuild/protobuf';
import { beforeEach, expect, test } from 'vitest';
import { BoothSignalledSchema, type BoothSignalled } from '../gen/majlis/room_directory/v1/booth_events_pb.ts';
import { BoothSignalKind } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { FakeClock } from '../testing/clock.ts';
import { BoothSigns } from './booth-signs.svelte.ts';

const of = (kind: BoothSignalKind, text = '', language = 'ar'): BoothSignalled => create(BoothSignalledSchema, { kind, text, language, byUserId: 'lina00000001' });
let clock: FakeClock;
let signs: BoothSigns;

beforeEach(() => {
  clock = new FakeClock();
  signs = new BoothSigns(clock);
});

test('a lamp burns for some seconds, and anew when it is asked again', async () => {
  signs.take(of(BoothSignalKind.SLOWER));
  await clock.pass(5_000);
  signs.take(of(BoothSignalKind.SLOWER));
  signs.take(of(BoothSignalKind.SLOWER, '', 'ru'));
  expect(signs.lamps.map(({ language }) => language)).toEqual(['ar', 'ru']);
  await clock.pass(5_000);
  expect(signs.lamps).toHaveLength(2);
  await clock.pass(3_000);
  expect(signs.lamps).toEqual([]);
});

test('a sign stands until it is answered, or for a while, and the chat keeps its last lines', async () => {
  signs.take(of(BoothSignalKind.TAKE_OVER_PLEASE));
  expect(signs.sign?.kind).toBe(BoothSignalKind.TAKE_OVER_PLEASE);
  signs.answered();
  expect(signs.sign).toBeNull();
  signs.take(of(BoothSignalKind.FIVE_MINUTES));
  await clock.pass(20_000);
  expect(signs.sign).toBeNull();
  for (let line = 0; line < 60; line++) signs.take(of(BoothSignalKind.CHAT, `line ${line}`));
  expect([signs.chat.length, signs.chat.at(-1)?.text]).toEqual([50, 'line 59']);
  signs.clear();
  expect(signs.chat).toEqual([]);
});

test('a call for help is nothing to the booth’s own people', () => {
  signs.take(of(BoothSignalKind.TECHNICIAN));
  expect([signs.sign, signs.lamps, signs.chat]).toEqual([null, [], []]);
});
