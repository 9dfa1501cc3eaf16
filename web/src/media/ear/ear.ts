// What an interpreter hears, as they set it: floor, relay and partner each with their own volume and tone, and a limiter before
// the ears. People on stage use it to have the raw voice below that of an interpreter.
import processor from './processor.ts?worker&url';

/** What somebody is to who listens. */
export type Source = 'floor' | 'relay' | 'partner';

/** How a source is heard: volume 0 to 1.5, bass and treble -12 to 12 dB. */
export interface Tuning {
  volume: number;
  bass: number;
  treble: number;
}

export const flat: Tuning = { volume: 1, bass: 0, treble: 0 };
/** How far a voice goes below that of its interpreter: -18 dB. */
export const ducked = 0.125;
const bassHertz = 200;
const trebleHertz = 3500;
/** Seconds in which a change of volume is heard, so that it does not click. */
const ease = 0.05;

interface Bus {
  volume: GainNode;
  bass: BiquadFilterNode;
  treble: BiquadFilterNode;
}

interface Slot {
  stream: MediaStream;
  source: MediaStreamAudioSourceNode;
  gain: GainNode;
  kind: Source;
}

export class Ear {
  readonly #context: AudioContext;
  readonly #buses: Record<Source, Bus>;
  readonly #out: GainNode;
  readonly #slots = new Map<string, Slot>();

  private constructor(context: AudioContext, protection: AudioNode) {
    this.#context = context;
    this.#out = context.createGain();
    this.#out.connect(protection).connect(context.destination);
    this.#buses = { floor: this.#bus(), relay: this.#bus(), partner: this.#bus() };
  }

  /** Throws where the browser has no AudioWorklet (a page that is not secure): sound then goes its plain way. */
  static async open(context: AudioContext): Promise<Ear> {
    await context.audioWorklet.addModule(processor);
    return new Ear(context, new AudioWorkletNode(context, 'ear-protection', { outputChannelCount: [2] }));
  }

  #bus(): Bus {
    const volume = this.#context.createGain();
    const bass = new BiquadFilterNode(this.#context, { type: 'lowshelf', frequency: bassHertz });
    const treble = new BiquadFilterNode(this.#context, { type: 'highshelf', frequency: trebleHertz });
    volume.connect(bass).connect(treble).connect(this.#out);
    return { volume, bass, treble };
  }

  /** Hears a stream as being of a kind. The page keeps a muted element on it: some browsers give no sound of it else. */
  attach(id: string, kind: Source, stream: MediaStream): void {
    const before = this.#slots.get(id);
    if (before?.stream === stream) return this.#route(before, kind);
    this.detach(id);
    const source = this.#context.createMediaStreamSource(stream);
    const gain = this.#context.createGain();
    source.connect(gain).connect(this.#buses[kind].volume);
    this.#slots.set(id, { stream, source, gain, kind });
  }

  #route(slot: Slot, kind: Source): void {
    if (slot.kind === kind) return;
    slot.gain.disconnect();
    slot.gain.connect(this.#buses[kind].volume);
    slot.kind = kind;
  }

  detach(id: string): void {
    const slot = this.#slots.get(id);
    slot?.source.disconnect();
    slot?.gain.disconnect();
    this.#slots.delete(id);
  }

  /** Sets how a kind is heard from now on. */
  tune(kind: Source, { volume, bass, treble }: Tuning): void {
    const bus = this.#buses[kind];
    this.#ease(bus.volume.gain, volume);
    this.#ease(bus.bass.gain, bass);
    this.#ease(bus.treble.gain, treble);
  }

  /** Puts one voice below that of its interpreter, or back. */
  duck(id: string, on: boolean): void {
    const slot = this.#slots.get(id);
    if (slot) this.#ease(slot.gain.gain, on ? ducked : 1);
  }

  #ease(parameter: AudioParam, value: number): void {
    parameter.setTargetAtTime(value, this.#context.currentTime, ease / 3);
  }

  /** Hears nothing more; the context stays its owner's. */
  close(): void {
    for (const id of [...this.#slots.keys()]) this.detach(id);
    this.#out.disconnect();
  }
}
