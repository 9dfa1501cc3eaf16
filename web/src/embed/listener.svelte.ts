// Somebody who listens to a room on another site's page: how it stands, and its sound. Nobody knows who they are, and nothing is kept.
import type { Clock, Stop } from '../lib/clock.ts';
import { Refused, type WebState } from './state.ts';

/** The sound of a room in a language. */
export interface LiveSound {
  /** Throws what refuses it. */
  start(): Promise<void>;
  /** False when the browser wants a tap first. */
  play(): Promise<boolean>;
  loud(level: number): void;
  close(): void;
}

export type SoundState = 'connecting' | 'connected' | 'lost' | 'failed' | 'closed';

export interface ListenerParts {
  ask(): Promise<WebState>;
  sound(language: string, tell: (state: SoundState, error: unknown) => void): LiveSound;
  clock: Clock;
  random(): number;
}

/** `full`: as many listen as may; `trouble`: it broke. Both are tried again. */
export type Hearing = 'off' | 'connecting' | 'on' | 'full' | 'trouble';

const retrySeconds = 5;

export class WebListener {
  /** How the room stands; null until that is known. */
  room = $state.raw<WebState | null>(null);
  hearing = $state<Hearing>('off');
  /** Empty for the floor. */
  language = $state('');
  level = $state(1);
  /** The gateway did not answer lately. */
  away = $state(false);
  readonly #parts: ListenerParts;
  #sound: LiveSound | null = null;
  #turn = 0;
  #stopAsking: Stop = () => undefined;
  #stopTrying: Stop = () => undefined;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  /** Asks how the room stands, and again when it is told to. */
  async ask(): Promise<void> {
    this.#stopAsking();
    let seconds = retrySeconds;
    try {
      const room = await this.#parts.ask();
      this.room = room;
      this.away = false;
      ({ seconds } = room);
      if (room.state === 'closed' || room.state === 'over') this.stop();
      if (this.language && !room.languages.includes(this.language)) await this.choose('');
    } catch {
      this.away = true;
    }
    // Spread, so that a crowd does not ask at once.
    this.#stopAsking = this.#parts.clock.after(seconds * 1000 * (0.75 + 0.5 * this.#parts.random()), () => void this.ask());
  }

  async play(): Promise<void> {
    this.#drop();
    const turn = ++this.#turn;
    this.hearing = 'connecting';
    const sound = this.#parts.sound(this.language, (state, error) => turn === this.#turn && this.#told(state, error));
    this.#sound = sound;
    sound.loud(this.level);
    try {
      const opening = sound.start();
      // At once, while the tap counts for the browser.
      const playing = sound.play();
      await opening;
      if (!(await playing) && turn === this.#turn) this.stop();
    } catch (error) {
      if (turn === this.#turn) this.#refused(error);
    }
  }

  /** Silence, by choice or because there is nothing to hear. */
  stop(): void {
    this.#turn++;
    this.#drop();
    this.hearing = 'off';
  }

  loud(level: number): void {
    this.level = level;
    this.#sound?.loud(level);
  }

  async choose(language: string): Promise<void> {
    if (language === this.language) return;
    this.language = language;
    if (this.hearing !== 'off') await this.play();
  }

  close(): void {
    this.#stopAsking();
    this.stop();
  }

  #told(state: SoundState, error: unknown): void {
    if (state === 'connected') this.hearing = 'on';
    if (state === 'connecting' || state === 'lost') this.hearing = 'connecting';
    if (state === 'failed') this.#refused(error);
  }

  #refused(error: unknown): void {
    if (!(error instanceof Refused)) return this.#again('trouble', retrySeconds);
    if (error.reason === 'WEB_CLOSED') {
      this.stop();
      void this.ask();
    } else if (error.reason === 'BOOTH_UNKNOWN') {
      void this.choose('');
    } else {
      this.#again(error.reason === 'WEB_FULL' ? 'full' : 'trouble', error.seconds || retrySeconds);
    }
  }

  #again(why: 'full' | 'trouble', seconds: number): void {
    this.#drop();
    this.hearing = why;
    // What has become of the room says more than that its sound broke.
    void this.ask();
    this.#stopTrying = this.#parts.clock.after(seconds * 1000 * (1 + this.#parts.random()), () => void this.play());
  }

  #drop(): void {
    this.#stopTrying();
    this.#sound?.close();
    this.#sound = null;
  }
}
