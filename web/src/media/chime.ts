// A soft sound for who moderates: a hand went up. Two quiet tones, made here, so that nothing is loaded.
import { keep, recall } from '../lib/storage.ts';

/** Hands that go up one after another are one sound. */
const quietFor = 5_000;
const loudness = 0.06;
let context: AudioContext | null = null;
let last = -Infinity;

/** Whether this browser sounds when a hand goes up; it does unless it was told not to. */
export function chimes(): boolean {
  return recall('chime') !== 'off';
}

export function setChimes(on: boolean): void {
  keep('chime', on ? null : 'off');
}

export function chime(now = performance.now()): void {
  if (!chimes() || now - last < quietFor) return;
  last = now;
  try {
    context ??= new AudioContext();
    void context.resume();
    tone(context, 660, 0);
    tone(context, 880, 0.14);
  } catch {
    // A browser without Web Audio shows the badge alone.
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
