// The voice over the web: it comes up, breaks, comes again and ends, with uplinks that tests play.
import { beforeEach, expect, test } from 'vitest';
import { waitsBy } from '../lib/back-off.ts';
import { Refusal } from '../lib/refusal.ts';
import type { SessionKind } from '../media/session.ts';
import type { UplinkEvents } from '../media/uplink/uplink.ts';
import { FakeClock, FakeNetwork, settled } from '../testing/clock.ts';
import { WebSpeaker, type Up } from './web-speaker.svelte.ts';

class FakeUplink implements Up {
  readonly sent: unknown[] = [];
  closed = false;
  #answer: { yes: () => void; no: (error: unknown) => void } | null = null;

  constructor(readonly events: UplinkEvents) {}

  open = (_permit: unknown, track: unknown): Promise<void> => {
    this.sent.push(track);
    return new Promise((yes, no) => (this.#answer = { yes, no }));
  };
  send = (track: unknown): void => void this.sent.push(track);
  close = (): void => void (this.closed = true);
  opens(): Promise<void> {
    this.events.state('connected');
    this.#answer?.yes();
    return settled();
  }
  refuses(error: unknown): Promise<void> {
    this.#answer?.no(error);
    return settled();
  }
}

let clock: FakeClock;
let network: FakeNetwork;
let all: FakeUplink[];
let asked: SessionKind[];
let refused: string[];
let microphone: { track: MediaStreamTrack | null };
let speaker: WebSpeaker;

beforeEach(() => {
  [clock, network, all, asked, refused, microphone] = [new FakeClock(), new FakeNetwork(), [], [], [], { track: null }];
  speaker = new WebSpeaker(
    { permit: async (kind) => (asked.push(kind), { permit: `p${asked.length}`, path: '/whip/room00000001' }), refused: (reason) => void refused.push(reason) },
    { uplink: (events) => (all.push(new FakeUplink(events)), all.at(-1) as FakeUplink), microphone, waits: waitsBy(clock, () => 1), network },
  );
});

async function speaking(): Promise<FakeUplink> {
  speaker.up();
  await settled();
  const up = all.at(-1) as FakeUplink;
  await up.opens();
  return up;
}

test('the voice is said to be heard only once the relay takes it', async () => {
  speaker.up();
  await settled();
  expect([speaker.state, asked]).toEqual(['connecting', ['stage']]);
  await all[0]?.opens();
  expect(speaker.state).toBe('on');
});

test('asked for twice it goes up once', async () => {
  await speaking();
  speaker.up();
  await settled();
  expect(all).toHaveLength(1);
});

test('one that breaks is said to be lost, and comes again by itself with a fresh permit', async () => {
  const up = await speaking();
  up.events.state('failed');
  expect([speaker.state, up.closed]).toEqual(['lost', true]);
  await clock.pass(2_300);
  expect([all.length, asked.length]).toEqual([2, 2]);
  expect(speaker.state).toBe('lost');
  await all[1]?.opens();
  expect(speaker.state).toBe('on');
});

test('a stall is said, and that it is over as well', async () => {
  const up = await speaking();
  up.events.state('lost');
  expect(speaker.state).toBe('lost');
  up.events.state('connected');
  expect([speaker.state, all.length]).toEqual(['on', 1]);
});

test('a network that comes back is tried at once', async () => {
  const up = await speaking();
  up.events.state('failed');
  network.comesBack();
  await settled();
  expect(all).toHaveLength(2);
});

test('who was removed, or speaks from another device now, is asked for nothing more', async () => {
  speaker.up();
  await settled();
  await all[0]?.refuses(new Refusal(403, 'REMOVED'));
  await clock.pass(60_000);
  expect([speaker.state, refused, all.length]).toEqual(['off', ['REMOVED'], 1]);
});

test('a permit that is spent gets a fresh one; a hall without room is said', async () => {
  speaker.up();
  await settled();
  await all[0]?.refuses(new Refusal(403, 'PERMIT_INVALID'));
  await clock.pass(2_300);
  expect([speaker.state, all.length]).toEqual(['connecting', 2]);
  await all[1]?.refuses(new Refusal(503, 'NO_RELAY'));
  expect(speaker.state).toBe('full');
});

test('who goes down, or away, is silent at once, and nothing that was on its way brings the voice back', async () => {
  const up = await speaking();
  speaker.down();
  expect([speaker.state, up.closed]).toEqual(['off', true]);
  up.events.state('failed');
  await clock.pass(60_000);
  expect([speaker.state, all.length]).toEqual(['off', 1]);
  speaker.up();
  speaker.down();
  await settled();
  network.comesBack();
  await clock.pass(60_000);
  expect([speaker.state, all.length]).toEqual(['off', 1]);
});

test('another microphone takes the place of the one before', async () => {
  const up = await speaking();
  microphone.track = { enabled: true } as MediaStreamTrack;
  speaker.sendMicrophone();
  expect(up.sent).toEqual([null, microphone.track]);
});

test('a browser that can send no voice says so, and goes on saying it', async () => {
  const up = await speaking();
  up.events.voiceless();
  up.events.state('connected');
  expect(speaker.state).toBe('unable');
});

test('another place on the stage is opened with a permit for it', async () => {
  const before = await speaking();
  speaker.renew();
  await settled();
  await all[1]?.opens();
  expect([before.closed, asked.length, speaker.state]).toEqual([true, 2, 'on']);
});
