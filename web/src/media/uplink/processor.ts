// Takes the microphone's sound where it is made: an AudioWorklet, which has nothing of the page.
import { Pieces } from './pieces';

declare const sampleRate: number;
declare const registerProcessor: (name: string, processor: new () => AudioWorkletProcessor) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

/** Samples of a turn in which nothing is connected, as between two microphones. */
const turn = 128;

class VoicePieces extends AudioWorkletProcessor {
  readonly #pieces = new Pieces(sampleRate, (piece) => this.port.postMessage(piece, [piece.buffer]));

  /** Writes nothing: what it is connected to stays silent. */
  process(inputs: Float32Array[][]): boolean {
    const input = inputs[0]?.[0];
    this.#pieces.put(input, input?.length ?? turn);
    return true;
  }
}

registerProcessor('voice-pieces', VoicePieces);
