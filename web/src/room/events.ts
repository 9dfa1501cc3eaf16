// The room's event stream: server-sent events over fetch, so that an expired sign-in can be renewed and the stream resumed.
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { clientHeader, renewSignIn } from '../lib/api.ts';
import { reasonIn, Refusal } from '../lib/refusal.ts';
import { decodeEvent, waitBefore } from './decode.ts';
import { SseParser, type SseMessage } from './sse.ts';
import { takeSlot } from './stream-slots.ts';

export interface StreamListener {
  /** The revision of what is shown: the stream goes on after it. */
  revision(): bigint;
  event(event: RoomEvent): void;
  /** True when the stream opened, before what was missed meanwhile comes; false while it is down. */
  connected(up: boolean): void;
  /** The server will not let this person watch; the reason decides what happens next. */
  refused(refusal: Refusal): void;
}

/** Nothing for this long means that the connection is dead: heartbeats come each 15 s at least, pulses more often. */
const silence = 25_000;

/** How often a tab asks that holds no stream, since others of this browser hold as many as may be. */
const askEvery = 2_000;

/** Follows a room until closed; resumes after what is shown, with waits that spread. */
export class RoomEvents {
  #room: string;
  #listener: StreamListener;
  #stop = new AbortController();
  #afresh = false;
  #up = false;
  #failures = 0;
  #wake: (() => void) | null = null;
  #current: AbortController | null = null;
  #retry = 0;

  constructor(room: string, listener: StreamListener) {
    this.#room = room;
    this.#listener = listener;
    addEventListener('online', this.#hurry);
    void this.#run();
  }

  close(): void {
    removeEventListener('online', this.#hurry);
    this.#stop.abort();
    this.#current?.abort();
    this.#wake?.();
  }

  /** After a gap in revisions: asks again for what came after what is shown, or `afresh` for a snapshot. */
  resync(afresh = false): void {
    this.#afresh = afresh;
    this.#current?.abort();
  }

  #hurry = (): void => this.#wake?.();

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      let streams = true;
      try {
        const release = await takeSlot();
        if (this.#stop.signal.aborted) return release?.();
        streams = release !== null;
        await this.#follow(streams).finally(release ?? undefined);
      } catch (error) {
        if (error instanceof Refusal && error.status !== 401 && error.status < 500 && error.status !== 429) {
          this.#listener.refused(error);
          return;
        }
        streams = true;
      }
      if (this.#stop.signal.aborted) return;
      if (!streams) {
        await this.#pause(askEvery * (0.5 + Math.random()));
        continue;
      }
      this.#up = false;
      this.#listener.connected(false);
      await this.#pause(waitBefore(this.#failures++, Math.random(), this.#retry));
    }
  }

  /** A stream until it ends, or an answer with what is missing now. */
  async #follow(streams: boolean): Promise<void> {
    const abort = new AbortController();
    this.#current = abort;
    let timer = setTimeout(() => abort.abort(), silence);
    try {
      const response = await this.#open(streams ? '' : '?once=1', abort.signal);
      this.#afresh = false;
      if (!this.#up) this.#listener.connected(true);
      this.#up = true;
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const parser = new SseParser();
      const decoder = new TextDecoder();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), silence);
        for (const message of parser.push(decoder.decode(value, { stream: true }))) this.#take(message);
        if (parser.retry) this.#retry = parser.retry;
      }
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  async #open(query: string, signal: AbortSignal, again = true): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'text/event-stream', ...clientHeader };
    const revision = this.#afresh ? 0n : this.#listener.revision();
    if (revision > 0n) headers['Last-Event-ID'] = revision.toString();
    const response = await fetch(`/events/${this.#room}${query}`, { headers, signal, credentials: 'same-origin', cache: 'no-store' });
    if (response.ok) return response;
    if (response.status === 401 && again && (await renewSignIn())) return this.#open(query, signal, false);
    throw new Refusal(response.status, await reasonIn(response));
  }

  #take(message: SseMessage): void {
    if (message.event === 'resync') return this.#current?.abort();
    const event = decodeEvent(message);
    if (!event) return;
    this.#failures = 0;
    this.#listener.event(event);
  }

  #pause(span: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, span);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
