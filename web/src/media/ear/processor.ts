// The limiter where sound is made: an AudioWorklet, which has nothing of the page.
import { Limiter } from './limiter';

declare const sampleRate: number;
declare const registerProcessor: (name: string, processor: new () => AudioWorkletProcessor) => void;
declare class AudioWorkletProcessor {}

class EarProtection extends AudioWorkletProcessor {
  readonly #limiter = new Limiter(sampleRate);

  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    this.#limiter.process(inputs[0] ?? [], outputs[0] ?? []);
    return true;
  }
}

registerProcessor('ear-protection', EarProtection);
