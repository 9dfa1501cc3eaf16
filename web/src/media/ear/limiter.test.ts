import { describe, expect, it } from 'vitest';
import { decibels, Limiter, lookahead } from './limiter';

const rate = 48_000;

/** A voice: a tone whose loudness comes and goes as syllables do, with the peaks of speech. */
function voice(seconds: number, mean: number): Float32Array {
  const samples = new Float32Array(seconds * rate);
  for (let index = 0; index < samples.length; index++) {
    const time = index / rate;
    const glottis = Math.max(0, Math.sin(2 * Math.PI * 120 * time)) ** 4 * Math.sin(2 * Math.PI * 900 * time);
    samples[index] = glottis * (0.4 + 0.6 * Math.abs(Math.sin(2 * Math.PI * 2.3 * time)));
  }
  const now = Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
  return samples.map((each) => (each * mean) / now);
}

function tone(seconds: number, peak: number, hertz = 1000): Float32Array {
  return Float32Array.from({ length: seconds * rate }, (_, index) => peak * Math.sin((2 * Math.PI * hertz * index) / rate));
}

function through(limiter: Limiter, samples: Float32Array): Float32Array {
  const out = new Float32Array(samples.length);
  for (let from = 0; from < samples.length; from += 128) limiter.process([samples.subarray(from, from + 128)], [out.subarray(from, from + 128)]);
  return out;
}

const peakOf = (samples: Float32Array): number => samples.reduce((most, each) => Math.max(most, Math.abs(each)), 0);

describe('the limiter before an interpreter’s ears', () => {
  it('lets a voice through as it is once it knows how loud it is, three milliseconds later', () => {
    const limiter = new Limiter(rate);
    const speech = voice(4, decibels(-26));
    const heard = through(limiter, speech);
    const delay = Math.round(lookahead * rate);
    let apart = 0;
    for (let index = 2 * rate; index < speech.length; index++) apart = Math.max(apart, Math.abs((heard[index] ?? 0) - (speech[index - delay] ?? 0)));
    expect(apart).toBeLessThan(decibels(-80));
  });

  it.each([
    ['a tone', tone(0.5, 1)],
    ['a low hum', tone(0.5, 1, 100)],
    ['a square burst', Float32Array.from({ length: rate / 2 }, (_, index) => (index % 48 < 24 ? 1 : -1))],
    ['a single click', Float32Array.from({ length: rate / 2 }, (_, index) => (index === 100 ? 1 : 0))],
  ])('lets no peak of %s of 0 dBFS through that is far above the voice before it, not even for a sample', (_, burst) => {
    const limiter = new Limiter(rate);
    const before = peakOf(through(limiter, voice(3, decibels(-32))).subarray(rate));
    const ceiling = limiter.ceiling;
    expect(ceiling).toBeLessThan(before * decibels(6));
    expect(peakOf(through(limiter, burst.subarray(0, rate / 10)))).toBeLessThanOrEqual(ceiling * decibels(1));
  });

  it('brings a tone that goes on down to the voice before it, within a quarter of a second', () => {
    const limiter = new Limiter(rate);
    through(limiter, voice(3, decibels(-30)));
    const heard = through(limiter, tone(3, 1));
    expect(peakOf(heard.subarray(rate * 0.3, rate * 3))).toBeLessThan(decibels(-24));
  });

  it('gives the voice back soon after a burst', () => {
    const limiter = new Limiter(rate);
    const speech = voice(2, decibels(-26));
    const before = peakOf(through(limiter, speech).subarray(rate));
    through(limiter, tone(0.1, 1));
    const after = peakOf(through(limiter, speech).subarray(rate, 2 * rate));
    expect(after / before).toBeGreaterThan(decibels(-1));
  });

  it('follows somebody who speaks louder than the one before, at six decibels a second', () => {
    const limiter = new Limiter(rate);
    through(limiter, voice(3, decibels(-36)));
    const louder = voice(4, decibels(-18));
    const heard = through(limiter, louder);
    expect(peakOf(heard.subarray(0, rate / 10))).toBeLessThan(decibels(-14));
    expect(peakOf(heard.subarray(3.5 * rate))).toBeGreaterThan(peakOf(louder) * decibels(-4));
  });

  it('never goes above three decibels below full scale, and takes what is no number for silence', () => {
    const limiter = new Limiter(rate);
    const broken = Float32Array.from({ length: rate }, (_, index) => (index % 7 === 0 ? NaN : index % 5 === 0 ? Infinity : 4));
    const heard = through(limiter, broken);
    expect(heard.every(Number.isFinite)).toBe(true);
    for (let second = 0; second < 20; second++) expect(peakOf(through(limiter, voice(1, 0.5)))).toBeLessThanOrEqual(decibels(-3) + 1e-6);
  });

  it('turns both sides of a stereo sound down as one', () => {
    const limiter = new Limiter(rate);
    const left = tone(0.1, 1);
    const right = left.map((each) => each / 2);
    const out = [new Float32Array(left.length), new Float32Array(left.length)];
    limiter.process([left, right], out);
    expect(peakOf(out[1] ?? left) / peakOf(out[0] ?? left)).toBeCloseTo(0.5, 3);
  });
});
