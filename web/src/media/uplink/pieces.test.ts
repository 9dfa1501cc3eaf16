// Sound cut into pieces, as the browser gives it: 128 samples at a time.
import { expect, test } from 'vitest';
import { Pieces } from './pieces';

/** Gives pieces away as messages do: whoever has given one has nothing left of it. */
function cut(sampleRate: number, turns: (Float32Array | undefined)[]): number[][] {
  const whole: number[][] = [];
  const pieces = new Pieces(sampleRate, (piece) => whole.push([...structuredClone(piece, { transfer: [piece.buffer] })]));
  for (const turn of turns) pieces.put(turn, turn?.length ?? 128);
  return whole;
}

const counted = (turns: number): Float32Array[] => Array.from({ length: turns }, (_, turn) => Float32Array.from({ length: 128 }, (_each, index) => turn * 128 + index));

test.each([
  [48_000, 960],
  [44_100, 882],
])('every sample is in one piece of 20 ms, in its order, at %s samples a second', (sampleRate, length) => {
  const whole = cut(sampleRate, counted(75));
  expect(whole).toHaveLength(Math.floor((75 * 128) / length));
  expect(whole.flat()).toEqual(Array.from({ length: whole.length * length }, (_, index) => index));
});

test('time goes on in silence while no microphone is connected', () => {
  expect(cut(48_000, Array.from({ length: 15 }, () => undefined)).flat()).toEqual(Array.from({ length: 1_920 }, () => 0));
});
