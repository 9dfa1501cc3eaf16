// Cuts sound into pieces of 20 ms. Pure; it runs where sound is made (processor.ts).

export class Pieces {
  readonly #length: number;
  readonly #tell: (piece: Float32Array<ArrayBuffer>) => void;
  #piece: Float32Array<ArrayBuffer>;
  #filled = 0;

  /** Tells each piece once it is whole; whoever is told keeps it. */
  constructor(sampleRate: number, tell: (piece: Float32Array<ArrayBuffer>) => void) {
    this.#length = Math.round(sampleRate / 50);
    this.#piece = new Float32Array(this.#length);
    this.#tell = tell;
  }

  /** Takes so many samples; without any it is silence that goes by. */
  put(samples: Float32Array | undefined, count: number): void {
    for (let index = 0; index < count; index++) {
      this.#piece[this.#filled++] = samples?.[index] ?? 0;
      if (this.#filled < this.#length) continue;
      const whole = this.#piece;
      this.#piece = new Float32Array(this.#length);
      this.#filled = 0;
      this.#tell(whole);
    }
  }
}
