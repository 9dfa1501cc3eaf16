// Protects an interpreter's ears: nothing comes through that is much louder than what was heard before it, however sudden.
//
// Acoustic shock is a sudden loud sound in a headset, often a tone (feedback, a fax machine). ISO 20109 asks of consoles that
// they keep it from the ears; a browser does not know how loud a headset is, so what may come is measured against what came.

/** Delay of the sound, in seconds: what is loud is turned down before it is there. */
export const lookahead = 0.003;
/** Peaks above this share of full scale never come through (-3 dBFS). */
const most = decibels(-3);
/** Where hardly anything was heard yet, peaks up to this share come through (-20 dBFS). */
const least = decibels(-20);
/** Peaks of speech stand this much above its mean; what stands higher is sudden. */
const crest = decibels(16);
/** A tone is as loud as its mean: where it is above what was heard, this is all it gets. */
const toneCrest = decibels(3);
/** A sound whose peak is less than this (4 dB) above its mean is a tone and no voice. */
const toneLike = decibels(4);
/** A tone is taken for one after this many seconds. */
const toneAfter = 0.2;
/** Hearing follows at most this fast: 6 dB a second up, and down within some seconds of quiet. */
const risePerSecond = decibels(6);
const fallPerSecond = decibels(-3);
/** Quieter sound (-55 dBFS) is a pause, and says nothing of how loud somebody speaks. */
const pause = decibels(-55);
/** Seconds until the sound is back after it was turned down. */
const release = 0.15;
/** Means are of blocks of this many seconds. */
const block = 0.01;

/** The share of full scale that so many decibels are. */
export function decibels(value: number): number {
  return 10 ** (value / 20);
}

export class Limiter {
  readonly #delay: number;
  readonly #blockLength: number;
  readonly #releaseStep: number;
  readonly #lines: Float32Array[] = [];
  readonly #peaks: Float64Array;
  readonly #gains: Float64Array;
  #at = 0;
  #gainSum: number;
  #gain = 1;
  /** Mean of what was heard lately, as a share of full scale. */
  #heard = least / crest;
  #square = 0;
  #peak = 0;
  #counted = 0;
  #toneBlocks = 0;
  #ceiling = least;

  constructor(sampleRate: number) {
    this.#delay = Math.round(lookahead * sampleRate);
    this.#blockLength = Math.round(block * sampleRate);
    this.#releaseStep = 1 - Math.exp(-1 / (release * sampleRate));
    this.#peaks = new Float64Array(this.#delay);
    this.#gains = new Float64Array(this.#delay).fill(1);
    this.#gainSum = this.#delay;
  }

  /** Peaks above this share of full scale do not come through just now. */
  get ceiling(): number {
    return this.#ceiling;
  }

  /** Reads samples of each channel, -1 to 1, and writes as many, `lookahead` later. All channels are turned down as one. */
  process(input: readonly Float32Array[], output: readonly Float32Array[]): void {
    while (this.#lines.length < output.length) this.#lines.push(new Float32Array(this.#delay));
    const length = output[0]?.length ?? 0;
    for (let index = 0; index < length; index++) {
      let peak = 0;
      for (const channel of input) peak = Math.max(peak, Math.abs(channel[index] ?? 0));
      if (!Number.isFinite(peak)) peak = 0;
      this.#listen(peak);
      const gain = this.#next(peak);
      for (let channel = 0; channel < output.length; channel++) {
        const line = this.#lines[channel];
        const out = output[channel];
        if (!line || !out) continue;
        const sample = input[channel]?.[index] ?? input[0]?.[index] ?? 0;
        out[index] = (line[this.#at] ?? 0) * gain;
        line[this.#at] = Number.isFinite(sample) ? sample : 0;
      }
      this.#at = (this.#at + 1) % this.#delay;
    }
  }

  /** The gain for the sample that leaves now: the mean of the gains of all that come within the delay, each as low as any needs. */
  #next(peak: number): number {
    this.#peaks[this.#at] = peak;
    let loudest = 0;
    for (const each of this.#peaks) if (each > loudest) loudest = each;
    const wanted = loudest > this.#ceiling ? this.#ceiling / loudest : 1;
    this.#gain = wanted < this.#gain ? wanted : this.#gain + (wanted - this.#gain) * this.#releaseStep;
    this.#gainSum += this.#gain - (this.#gains[this.#at] ?? 1);
    this.#gains[this.#at] = this.#gain;
    return Math.min(1, this.#gainSum / this.#delay);
  }

  /** Follows how loud it is, slower than anything sudden. */
  #listen(peak: number): void {
    this.#square += peak * peak;
    this.#peak = Math.max(this.#peak, peak);
    if (++this.#counted < this.#blockLength) return;
    const mean = Math.sqrt(this.#square / this.#counted);
    const isTone = mean > pause && this.#peak < mean * toneLike;
    this.#toneBlocks = isTone ? this.#toneBlocks + 1 : 0;
    const isLastingTone = this.#toneBlocks * block >= toneAfter;
    if (mean > this.#heard && !isLastingTone) this.#heard = Math.min(mean, this.#heard * risePerSecond ** block);
    else if (mean > pause && mean < this.#heard) this.#heard = Math.max(mean, this.#heard * fallPerSecond ** block);
    this.#ceiling = isLastingTone ? Math.min(most, this.#heard * toneCrest) : Math.min(most, Math.max(least, this.#heard * crest));
    this.#square = this.#peak = this.#counted = 0;
  }
}
