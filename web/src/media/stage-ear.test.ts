// How people on stage hear, with an ear and sessions that tests play.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock, settled } from '../testing/clock.ts';
import { StageEar, type Hears, type Part } from './stage-ear.ts';
import type { Incoming } from './session.ts';

class FakeHears implements Hears {
  readonly ducked = new Map<string, boolean>();
  readonly kinds = new Map<string, string>();
  readonly tuned: string[] = [];
  closed = false;
  attach = (id: string, kind: string): void => void this.kinds.set(id, kind);
  detach = (id: string): void => void this.kinds.delete(id);
  tune = (kind: string): void => void this.tuned.push(kind);
  duck = (id: string, on: boolean): void => void this.ducked.set(id, on);
  close = (): void => void (this.closed = true);
}

/** One stream of a session, whose member speaks when the test says so. */
class Voice implements Incoming {
  stamp = 0;
  readonly stream = {} as MediaStream;
  constructor(readonly id: string, public member: number) {}
  receiver = { getContributingSources: () => (this.stamp ? [{ source: this.member, timestamp: this.stamp, rtpTimestamp: 0 }] : []) };
}

let clock: FakeClock;
let made: FakeHears[];
let ear: StageEar;
let silent: boolean;
let omar: Voice;
let anna: Voice;
const below = new Set([2]);
const partOf = (member: number): Part => ({ source: member === 2 ? 'relay' : 'floor', below: member === 1 ? below : new Set() });

beforeEach(() => {
  clock = new FakeClock();
  made = [];
  ear = new StageEar(async () => (made.push(new FakeHears()), made.at(-1) as FakeHears), clock);
  silent = false;
  omar = new Voice('slot1', 1);
  anna = new Voice('slot2', 2);
});

const session = (): { voices: Voice[]; silence: (on?: boolean) => void } => ({ voices: [omar, anna], silence: (on = true) => void (silent = on) });

test('a voice goes below its interpreter while that one speaks, and comes back after a breath', async () => {
  ear.follow(session());
  ear.hear(() => partOf);
  omar.stamp = 1;
  await clock.pass(100);
  expect([silent, made[0]?.kinds.get('slot1'), made[0]?.ducked.get('slot1')]).toEqual([true, 'floor', false]);
  anna.stamp = 5;
  await clock.pass(100);
  expect([made[0]?.kinds.get('slot2'), made[0]?.ducked.get('slot1'), made[0]?.ducked.get('slot2')]).toEqual(['relay', true, false]);
  await clock.pass(1_600);
  expect(made[0]?.ducked.get('slot1')).toBe(false);
});

test('who needs no ear hears plainly, and an ear that is no longer needed is gone', async () => {
  ear.follow(session());
  await settled();
  expect(made).toEqual([]);
  ear.hear(() => partOf);
  await clock.pass(100);
  ear.hear(null);
  expect([made[0]?.closed, silent]).toEqual([true, false]);
});

test('a browser without an ear lets everybody be heard as they are', async () => {
  ear = new StageEar(async () => Promise.reject(new Error('no worklet')), clock);
  ear.follow(session());
  ear.hear(() => partOf);
  await clock.pass(500);
  expect(silent).toBe(false);
});

test('how a source was tuned before holds for the ear that comes', async () => {
  ear.tune('partner', { volume: 1.2, bass: 0, treble: 3 });
  ear.follow(session());
  ear.hear(() => partOf);
  await settled();
  expect(made[0]?.tuned).toEqual(['partner']);
});
