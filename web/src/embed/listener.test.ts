// Somebody who listens on another site's page: what they hear and see as the room changes, and that they come back by themselves.
import { beforeEach, expect, test } from 'vitest';
import { FakeClock, settled } from '../testing/clock.ts';
import { WebListener, type LiveSound, type SoundState } from './listener.svelte.ts';
import { heardIn, read, Refused, soundPath, type WebState } from './state.ts';

class FakeSound implements LiveSound {
  level = 0;
  closed = false;
  constructor(
    readonly language: string,
    readonly tell: (state: SoundState, error?: unknown) => void,
  ) {}

  async start(): Promise<void> {
    if (refusal) throw refusal;
    this.tell('connected');
  }

  async play(): Promise<boolean> {
    return mayPlay;
  }

  loud(level: number): void {
    this.level = level;
  }

  close(): void {
    this.closed = true;
  }
}

let clock: FakeClock;
let answer: unknown;
let asked: number;
let sounds: FakeSound[];
let refusal: Error | null;
let mayPlay: boolean;
let listener: WebListener;

beforeEach(() => {
  clock = new FakeClock();
  answer = { state: 'live', title: 'Stars', language: 'en', languages: ['ar'], stage: [{ name: 'Lina', heard: true, language: '' }], ask_again_seconds: 10 };
  [asked, sounds, refusal, mayPlay] = [0, [], null, true];
  listener = new WebListener({
    ask: async (): Promise<WebState> => {
      asked++;
      if (answer instanceof Error) throw answer;
      return read(answer);
    },
    sound: (language, tell) => {
      sounds.push(new FakeSound(language, tell));
      return sounds.at(-1) as FakeSound;
    },
    clock,
    random: () => 0.5,
  });
});

const now = (): FakeSound => sounds.at(-1) as FakeSound;

test('nothing sounds before somebody asks for it, and then as loud as they chose', async () => {
  await listener.ask();
  expect(sounds).toEqual([]);
  listener.loud(0.3);
  await listener.play();
  expect(listener.hearing).toBe('on');
  expect(now().level).toBe(0.3);
  listener.stop();
  expect(now().closed).toBe(true);
  expect(listener.hearing).toBe('off');
});

test('it asks again when the gateway says, and goes on asking one that is away', async () => {
  await listener.ask();
  answer = new Error('away');
  await clock.pass(10_100);
  expect([asked, listener.away, listener.room?.title]).toEqual([2, true, 'Stars']);
  answer = { state: 'live', title: 'Moons', ask_again_seconds: 10 };
  await clock.pass(5_100);
  expect([listener.away, listener.room?.title]).toEqual([false, 'Moons']);
});

test('a room that is closed to the web or over falls silent', async () => {
  await listener.ask();
  await listener.play();
  for (const state of ['closed', 'over']) {
    await listener.play();
    answer = { state, ask_again_seconds: 10 };
    await listener.ask();
    expect([listener.room?.state, listener.hearing, now().closed]).toEqual([state, 'off', true]);
  }
});

test('a stream that breaks is opened again, and one that is refused for good is not', async () => {
  await listener.ask();
  await listener.play();
  now().tell('failed');
  expect(listener.hearing).toBe('trouble');
  await clock.pass(8_000);
  expect([sounds.length, listener.hearing]).toEqual([2, 'on']);
  refusal = new Refused('WEB_CLOSED');
  answer = { state: 'closed' };
  now().tell('failed', refusal);
  await clock.pass(30_000);
  expect([listener.hearing, listener.room?.state]).toEqual(['off', 'closed']);
  const tried = sounds.length;
  await clock.pass(60_000);
  expect(sounds).toHaveLength(tried);
});

test('a full room is tried again when it says so', async () => {
  await listener.ask();
  refusal = new Refused('WEB_FULL', 20);
  await listener.play();
  await settled();
  expect(listener.hearing).toBe('full');
  refusal = null;
  await clock.pass(19_000);
  expect(listener.hearing).toBe('full');
  await clock.pass(12_000);
  expect(listener.hearing).toBe('on');
});

test('another language is another stream, and the floor is heard again when its booth closes', async () => {
  await listener.ask();
  await listener.play();
  await listener.choose('ar');
  expect([now().language, sounds[0]?.closed]).toEqual(['ar', true]);
  answer = { state: 'live', languages: [] };
  await listener.ask();
  expect([now().language, listener.language]).toEqual(['', '']);
});

test('what a stream says that was left changes nothing', async () => {
  await listener.play();
  const left = now();
  listener.stop();
  left.tell('connected');
  expect(listener.hearing).toBe('off');
});

test('a browser that wants a tap first is asked for one', async () => {
  mayPlay = false;
  await listener.play();
  expect(listener.hearing).toBe('off');
});

test('an answer that is odd says that nothing can be heard', () => {
  for (const odd of [null, 7, 'x', [], { state: 'dancing' }, { stage: 3 }]) expect(read(odd).state).toBe('closed');
  expect(read({ state: 'live', ask_again_seconds: -5, stage: [null, { name: 4 }], languages: [1, 'ar'] })).toMatchObject({ seconds: 10, languages: ['ar'], stage: [{ name: '', heard: false }, { name: '' }] });
});

test('who speaks is who is heard in the language chosen, and on the floor where it has no booth', () => {
  const room = read({ state: 'live', languages: ['ar'], stage: [{ name: 'Lina', heard: true, language: '' }, { name: 'Omar', heard: false, language: '' }, { name: 'Nadia', heard: true, language: 'ar' }] });
  expect(heardIn(room, '')).toEqual(['Lina']);
  expect(heardIn(room, 'ar')).toEqual(['Nadia']);
  expect(heardIn(room, 'ru')).toEqual(['Lina']);
  expect(soundPath('room00000001', 'ar', 'webm')).toBe('/listen/w/room00000001/ar.webm');
});
