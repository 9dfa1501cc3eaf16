// A stream of server-sent events that goes on until it is closed: over fetch, so that an expired sign-in can be renewed and it is resumed.
import { paces, type BackOff, type Waits } from '../lib/back-off.ts';
import type { Clock, Network, Stop } from '../lib/clock.ts';
import { reasonIn, Refusal } from '../lib/refusal.ts';
import { SseParser, type SseMessage } from './sse.ts';
import type { Release } from './stream-slots.ts';

export interface SseListener {
  /** The id after which it goes on; empty for all there is. */
  after(): string;
  /** A message came; true when it was one that tells something. */
  message(message: SseMessage): boolean;
  /** True when the stream opened, before what was missed meanwhile comes; false while it is down. */
  connected(up: boolean): void;
  /** True when an open stream has said nothing for longer than it ever does; false when it speaks again. */
  quiet(still: boolean): void;
  /** The server will not let this person watch; the reason decides what happens next. */
  refused(refusal: Refusal): void;
}

/** What a stream needs of the browser and of the rest of the client. */
export interface StreamParts {
  /** Asks this origin for a path, with the headers that say who asks. */
  ask(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
  /** Renews an expired sign-in; false when it is over. */
  renew(): Promise<boolean>;
  /** A place among the streams of this browser's tabs; null when all are taken. */
  slot(): Promise<Release | null>;
  clock: Clock;
  waits: Waits;
  network: Network;
}

/** Nothing for this long means that the connection is dead: heartbeats come each 15 s at least, pulses more often. */
const silence = 25_000;
/** Pulses come each second, each fifth in the largest rooms and where nothing moves: what says nothing for so long stands still, and may go on by itself. */
const hush = 8_000;

/** Follows a path until closed; resumes after what came, with waits that spread. */
export class SseFollower {
  readonly #path: () => string;
  readonly #listener: SseListener;
  readonly #parts: StreamParts;
  readonly #broken: BackOff;
  readonly #crowded: BackOff;
  readonly #deaf: Stop;
  readonly #stop = new AbortController();
  #afresh = false;
  #renewed = false;
  #up = false;
  #current: AbortController | null = null;
  #retry = 0;

  constructor(path: () => string, listener: SseListener, parts: StreamParts) {
    this.#path = path;
    this.#listener = listener;
    this.#parts = parts;
    this.#broken = parts.waits(paces.stream);
    this.#crowded = parts.waits(paces.turn);
    this.#deaf = parts.network.whenBack(() => this.#hurry());
    void this.#run();
  }

  close(): void {
    this.#deaf();
    this.#stop.abort();
    this.#current?.abort();
    this.#hurry();
  }

  /** After a gap in revisions: asks again for what came after what is shown, or `afresh` for a snapshot. */
  resync(afresh = false): void {
    this.#afresh = afresh;
    this.#current?.abort();
  }

  /** Asks anew under the path of now, without a word that anything was away. */
  renew(): void {
    if (!this.#up) return;
    this.#renewed = true;
    this.#current?.abort();
  }

  #hurry(): void {
    this.#broken.hurry();
    this.#crowded.hurry();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      let streams = true;
      try {
        const release = await this.#parts.slot();
        if (this.#stop.signal.aborted) return release?.();
        streams = release !== null;
        await this.#follow(streams).finally(release ?? undefined);
      } catch (error) {
        if (error instanceof Refusal && error.status !== 401 && error.status < 500 && error.status !== 429) {
          this.#deaf();
          this.#listener.refused(error);
          return;
        }
        streams = true;
      }
      if (this.#stop.signal.aborted) return;
      if (this.#renewed) {
        this.#renewed = false;
        continue;
      }
      if (!streams) {
        await new Promise<void>((resolve) => this.#crowded.again(resolve));
        continue;
      }
      this.#up = false;
      this.#listener.connected(false);
      await new Promise<void>((resolve) => this.#broken.again(resolve, this.#retry));
    }
  }

  /** A stream until it ends, or an answer with what is missing now. */
  async #follow(streams: boolean): Promise<void> {
    const abort = new AbortController();
    this.#current = abort;
    const heard = this.#listen(abort);
    try {
      const response = await this.#open(this.#address(streams), abort.signal);
      this.#afresh = false;
      heard();
      if (!this.#up) this.#listener.connected(true);
      this.#up = true;
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const parser = new SseParser();
      const decoder = new TextDecoder();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        heard();
        for (const message of parser.push(decoder.decode(value, { stream: true }))) this.#take(message);
        if (parser.retry) this.#retry = parser.retry;
      }
    } finally {
      heard(true);
      abort.abort();
    }
  }

  /** Notices that nothing comes, and ends a stream that stays so; call what it gives whenever something came, and at the end. */
  #listen(abort: AbortController): (over?: boolean) => void {
    const { clock } = this.#parts;
    let stops: Stop[] = [];
    let still = false;
    const tell = (now: boolean): void => {
      if (still !== now) this.#listener.quiet((still = now));
    };
    const heard = (over = false): void => {
      for (const stop of stops) stop();
      stops = over ? [] : [clock.after(hush, () => tell(true)), clock.after(silence, () => abort.abort())];
      if (!over) tell(false);
    };
    heard();
    return heard;
  }

  #address(streams: boolean): string {
    const path = this.#path();
    return streams ? path : `${path}${path.includes('?') ? '&' : '?'}once=1`;
  }

  async #open(path: string, signal: AbortSignal, again = true): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    const after = this.#afresh ? '' : this.#listener.after();
    if (after) headers['Last-Event-ID'] = after;
    const response = await this.#parts.ask(path, headers, signal);
    if (response.ok) return response;
    if (response.status === 401 && again && (await this.#parts.renew())) return this.#open(path, signal, false);
    throw new Refusal(response.status, await reasonIn(response));
  }

  #take(message: SseMessage): void {
    if (message.event === 'resync') return this.#current?.abort();
    if (this.#listener.message(message)) this.#broken.reset();
  }
}
