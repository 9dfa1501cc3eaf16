// The microphone as Opus packets: by the browser's own encoder, or out of what its recorder makes.
import { rate, type Packet } from './packets.ts';
import processor from './processor.ts?worker&url';
import { WebmPackets } from './webm.ts';

/** Encodes a microphone until it is closed. */
export interface Voice {
  /** Takes another microphone, or none. */
  take(track: MediaStreamTrack | null): void;
  close(): void;
}

/** Tells packets as they are made; `broken`: this browser makes none any more. */
export interface Hearer {
  packet(packet: Packet): void;
  broken(): void;
}

export type OpenVoice = (hearer: Hearer) => Promise<Voice>;

/** Bits a second: speech is as good as on a call, and goes through narrow networks. */
const bitrate = 28_000;
/** Microseconds of a piece. */
const piece = 20_000;
/** Milliseconds after which the recorder gives what it has. */
const slice = 100;
const recorded = 'audio/webm;codecs=opus';

/** The best that this browser has. Throws where it has no way of making Opus. */
export async function openVoice(hearer: Hearer): Promise<Voice> {
  if (await encodes()) return EncodedVoice.open(hearer);
  if (typeof MediaRecorder !== 'undefined' && MediaRecorder.isTypeSupported(recorded)) return new RecordedVoice(hearer);
  throw new DOMException('this browser makes no Opus', 'NotSupportedError');
}

function configured(sampleRate: number): AudioEncoderConfig {
  return { codec: 'opus', sampleRate, numberOfChannels: 1, bitrate, opus: { frameDuration: piece, application: 'voip', signal: 'voice', usedtx: true } } as AudioEncoderConfig;
}

async function encodes(): Promise<boolean> {
  if (typeof AudioEncoder === 'undefined' || typeof AudioWorkletNode === 'undefined') return false;
  try {
    return (await AudioEncoder.isConfigSupported(configured(rate))).supported === true;
  } catch {
    return false;
  }
}

/** A context of Opus's own rate; of the microphone's where a browser joins no two rates. */
function contextFor(): AudioContext {
  try {
    return new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
  } catch {
    return new AudioContext({ latencyHint: 'interactive' });
  }
}

/** By WebCodecs. While the microphone is switched off nothing is encoded; what is said after that is later by as much. */
class EncodedVoice implements Voice {
  readonly #context: AudioContext;
  readonly #node: AudioWorkletNode;
  readonly #hearer: Hearer;
  #track: MediaStreamTrack | null = null;
  #source: MediaStreamAudioSourceNode | null = null;
  #encoder: AudioEncoder | null = null;
  #pieces = 0;

  private constructor(context: AudioContext, hearer: Hearer) {
    this.#context = context;
    this.#hearer = hearer;
    this.#node = new AudioWorkletNode(context, 'voice-pieces', { channelCount: 1, channelCountMode: 'explicit', outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => this.#encode(data);
    // Sound is made only for who hears it: it is connected, and silent.
    this.#node.connect(context.destination);
  }

  static async open(hearer: Hearer): Promise<EncodedVoice> {
    const context = contextFor();
    try {
      void context.resume();
      await context.audioWorklet.addModule(processor);
      return new EncodedVoice(context, hearer);
    } catch (error) {
      void context.close();
      throw error;
    }
  }

  take(track: MediaStreamTrack | null): void {
    if (track === this.#track) return;
    this.#source?.disconnect();
    this.#track = track;
    this.#source = track && this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source?.connect(this.#node);
  }

  #encode(samples: Float32Array<ArrayBuffer>): void {
    const timestamp = this.#pieces++ * piece;
    if (!this.#track?.enabled) return this.#rest();
    const { sampleRate } = this.#context;
    const data = new AudioData({ format: 'f32-planar', sampleRate, numberOfFrames: samples.length, numberOfChannels: 1, timestamp, data: samples });
    this.#encoder ??= this.#begin(sampleRate);
    this.#encoder.encode(data);
    data.close();
  }

  #begin(sampleRate: number): AudioEncoder {
    const encoder = new AudioEncoder({
      output: (chunk) => {
        const opus = new Uint8Array(chunk.byteLength);
        chunk.copyTo(opus);
        this.#hearer.packet({ at: Math.round((chunk.timestamp * rate) / 1_000_000), opus });
      },
      error: () => {
        this.#encoder = null;
        this.#hearer.broken();
      },
    });
    encoder.configure(configured(sampleRate));
    return encoder;
  }

  /** What was said before a silence is not finished after it. */
  #rest(): void {
    if (this.#encoder?.state === 'configured') this.#encoder.close();
    this.#encoder = null;
  }

  close(): void {
    this.#node.port.onmessage = null;
    this.take(null);
    this.#rest();
    void this.#context.close();
  }
}

/** By the browser's recorder, whose WebM is taken apart here: packets are longer there, and come a little later. */
class RecordedVoice implements Voice {
  readonly #hearer: Hearer;
  #track: MediaStreamTrack | null = null;
  #recorder: MediaRecorder | null = null;
  #before = 0;
  #reading: Promise<void> = Promise.resolve();

  constructor(hearer: Hearer) {
    this.#hearer = hearer;
  }

  take(track: MediaStreamTrack | null): void {
    if (track === this.#track) return;
    this.#stop();
    this.#track = track;
    if (track) this.#start(track);
  }

  #start(track: MediaStreamTrack): void {
    const recorder = new MediaRecorder(new MediaStream([track]), { mimeType: recorded, audioBitsPerSecond: bitrate });
    const packets = new WebmPackets();
    const began = this.#before;
    recorder.ondataavailable = ({ data }) => {
      this.#reading = this.#reading.then(async () => {
        const bytes = new Uint8Array(await data.arrayBuffer());
        if (recorder !== this.#recorder) return;
        for (const { at, opus } of packets.push(bytes)) {
          this.#before = began + at;
          if (track.enabled) this.#hearer.packet({ at: began + at, opus });
        }
      }).catch(() => this.#hearer.broken());
    };
    recorder.onerror = () => this.#hearer.broken();
    recorder.start(slice);
    this.#recorder = recorder;
  }

  #stop(): void {
    const recorder = this.#recorder;
    this.#recorder = null;
    // Another recording begins at nought: it goes on after this one.
    this.#before += rate / 5;
    if (recorder && recorder.state !== 'inactive') recorder.stop();
  }

  close(): void {
    this.take(null);
  }
}
