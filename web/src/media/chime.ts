// A soft sound: a hand went up, for who moderates; or an interpreter is needed. Two quiet tones, made here, so that nothing is loaded.
import type { Clock } from '../lib/clock.ts';
import { keep, recall } from '../lib/storage.ts';

/** Hands that go up one after another are one sound. */
const quietFor = 5_000;
const loudness = 0.06;

export class Chime {
  readonly #clock: Clock;
  #context: AudioContext | null = null;
  #last = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this browser sounds when a hand goes up; it does unless it was told not to. */
  get on(): boolean {
    return recall('chime') !== 'off';
  }

  turn(on: boolean): void {
    keep('chime', on ? null : 'off');
  }

  /** Sounds; what is urgent sounds always, for whoever hears hands no more still interprets. */
  ring(urgent = false): void {
    const now = this.#clock.now();
    if (!urgent && (!this.on || now - this.#last < quietFor)) return;
    this.#last = now;
    try {
      this.#context ??= new AudioContext();
      void this.#context.resume();
      tone(this.#context, 660, 0);
      tone(this.#context, 880, 0.14);
    } catch {
      // A browser without Web Audio shows the badge alone.
    }
  }
}

function tone(audio: AudioContext, hertz: number, after: number): void {
  const from = audio.currentTime + after;
  const swing = audio.createOscillator();
  const gain = audio.createGain();
  swing.frequency.value = hertz;
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(loudness, from + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.0001, from + 0.3);
  swing.connect(gain).connect(audio.destination);
  swing.start(from);
  swing.stop(from + 0.32);
}
