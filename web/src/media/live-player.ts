// Plays one live stream over HTTPS close to its end, and goes on when it breaks. It knows addresses and sound, and nothing of rooms.
import { paces, type BackOff, type Waits } from '../lib/back-off.ts';
import type { Clock, Stop } from '../lib/clock.ts';
import type { LiveEnding, Sink } from './sink.ts';

/** `lost`: nothing came for a while, and it may come back by itself. */
export type LiveState = 'connecting' | 'connected' | 'lost' | 'failed' | 'closed';

export interface LiveParts {
  /** Opens the stream in a container. Throws what refuses it, which ends the player when `isFinal` says so. */
  open(ending: LiveEnding, signal: AbortSignal): Promise<Response>;
  /** Where an element may fetch it by itself, in a browser that can do no better; asked after `open` was answered. */
  address(ending: LiveEnding): string;
  sink(clock: Clock): Sink;
  /** What has become of it; with what it was refused with, or null for a network that let nothing through. */
  tell(state: LiveState, error: unknown): void;
  isFinal(error: unknown): boolean;
  clock: Clock;
  waits: Waits;
}

/** Nothing heard within this time after the beginning means that it will not be. */
export const playsWithin = 8_000;
/** A piece comes each 0.4 s, also while nobody speaks. */
const hush = 2_000;
/** A stream that says nothing for so long is opened again. */
const dead = 4_000;
/** Lost for so long it has failed. */
const patience = 20_000;
/** How often it is looked at what comes. */
const look = 250;
/** From speaker to gateway, and on the way. */
const under = 0.4;
/** Bytes a second beyond which what comes is more than the packets that stand for silence, which take some 600. */
const voiced = 1_000;
/** What carries a piece: two segments, their confirmation, and a record. */
const wrapped = 190;

export class LivePlayer {
  readonly #parts: LiveParts;
  readonly #sink: Sink;
  readonly #again: BackOff;
  #state: LiveState = 'connecting';
  #stream = new AbortController();
  #came = 0;
  #bytes = 0;
  #all = 0;
  #second = 0;
  #heard = false;
  #since = 0;
  #stopLooking: Stop = () => undefined;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#sink = parts.sink(parts.clock);
    this.#again = parts.waits(paces.live);
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Whether somebody was heard to speak. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Seconds behind who speaks, about. */
  get behind(): number {
    return this.#sink.ahead + under;
  }

  /** Opens the stream; the sound comes later, by state. Throws what refuses it. */
  async start(): Promise<void> {
    this.#since = this.#came = this.#second = this.#parts.clock.now();
    this.#stopLooking = this.#parts.clock.every(look, () => this.#look());
    await this.#open();
  }

  play(): Promise<boolean> {
    return this.#sink.play();
  }

  silence(silent = true): void {
    this.#sink.silence(silent);
  }

  loud(level: number): void {
    this.#sink.loud(level);
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#end();
    this.#sink.close();
  }

  #end(): void {
    this.#stopLooking();
    this.#again.stop();
    this.#stream.abort();
  }

  async #open(): Promise<void> {
    const stream = new AbortController();
    this.#stream.abort();
    this.#stream = stream;
    const response = await this.#parts.open(this.#sink.ending, stream.signal);
    if (stream.signal.aborted) return void response.body?.cancel().catch(() => undefined);
    this.#came = this.#parts.clock.now();
    if (!this.#sink.fed) {
      // Only whether it is let in was asked.
      stream.abort();
      return this.#sink.load(this.#parts.address(this.#sink.ending));
    }
    void this.#pump(response, stream.signal);
  }

  async #pump(response: Response, signal: AbortSignal): Promise<void> {
    try {
      this.#sink.begin();
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (signal.aborted) return;
        if (done) break;
        this.#note(value.length);
        await this.#sink.append(value);
        if (this.#sink.ready) this.#become('connected', null);
      }
    } catch {
      // It broke on its way, or was no sound: it is opened again.
    }
    if (!signal.aborted) this.#reopen();
  }

  /** All that came, with what HTTP, TLS, TCP and IP add to a piece. */
  get bytes(): number {
    return this.#all;
  }

  #note(bytes: number): void {
    this.#all += bytes + wrapped;
    const now = this.#parts.clock.now();
    this.#came = now;
    this.#bytes += bytes;
    if (now - this.#second < 1_000) return;
    // The head and the newest piece come at once: a beginning tells nothing.
    if (now - this.#since > 1_200 && (this.#bytes / (now - this.#second)) * 1_000 > voiced) this.#heard = true;
    this.#second = now;
    this.#bytes = 0;
  }

  #reopen(): void {
    this.#stream.abort();
    this.#again.again(() => void this.#retry());
  }

  async #retry(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      if (this.#state === 'closed' || this.#state === 'failed') return;
      if (this.#parts.isFinal(error)) this.#become('failed', error);
      else this.#reopen();
    }
  }

  #look(): void {
    const now = this.#parts.clock.now();
    if (!this.#sink.fed && this.#sink.ready) {
      this.#came = now;
      return this.#become('connected', null);
    }
    if (this.#state === 'connecting' && now - this.#since > playsWithin) return this.#become('failed', null);
    if (this.#state === 'lost' && now - this.#since > patience) return this.#become('failed', null);
    if (this.#state === 'connected' && now - this.#came > hush) this.#become('lost', null);
    if (now - this.#came > dead && this.#sink.fed) {
      this.#came = now;
      this.#reopen();
    }
  }

  #become(state: LiveState, error: unknown): void {
    if (state === 'connected') this.#again.reset();
    if (this.#state === state || this.#state === 'closed' || this.#state === 'failed') return;
    this.#state = state;
    this.#since = this.#parts.clock.now();
    if (state === 'failed') this.#end();
    this.#parts.tell(state, error);
  }
}
