// The own voice up in short requests, where a network lets no WebSocket through: numbered, one at a time, each with all that waits.
import type { Clock, Stop } from '../../lib/clock.ts';
import { reasonIn } from '../../lib/refusal.ts';
import type { Packet } from './packets.ts';
import { brokenAfter, openWithin, stalledAfter, type Way, type WayEvents, type Waiting } from './way.ts';

/** Milliseconds of speech in a piece, where nothing is slow. */
const piece = 200;
/** Milliseconds after which a piece is sent though there is nothing to say: the server ends who is silent for five seconds. */
const lifeSign = 1_500;
/** Milliseconds for which an answer is waited. */
const answerWithin = 2_500;
/** Milliseconds before what failed is tried again. */
const again = 300;

export type Fetch = typeof fetch;

export class PiecesWay implements Way {
  readonly #waiting: Waiting;
  readonly #events: WayEvents;
  readonly #clock: Clock;
  readonly #fetch: Fetch;
  readonly #stopLooking: Stop;
  #location = '';
  #next = 0;
  #busy = false;
  #over = false;
  #stalled = false;
  #muted = false;
  #retry = false;
  /** When a piece was sent last, and when one arrived last. */
  #sent: number;
  #arrived: number;

  constructor(room: string, permit: string, waiting: Waiting, events: WayEvents, clock: Clock, fetcher: Fetch) {
    [this.#waiting, this.#events, this.#clock, this.#fetch] = [waiting, events, clock, fetcher];
    this.#sent = this.#arrived = clock.now();
    this.#stopLooking = clock.every(piece, () => this.pump());
    void this.#open(`/speak/${room}/pieces?form=opus`, permit);
  }

  async #open(path: string, permit: string): Promise<void> {
    const response = await this.#ask(path, { method: 'POST', headers: { Authorization: `Bearer ${permit}` } }, openWithin);
    const location = response?.headers.get('Location') ?? '';
    if (this.#over) return void (location && this.#delete(location));
    if (response && !response.ok) return this.#end(await reasonIn(response));
    if (!location) return this.#break();
    this.#location = location;
    this.#sent = this.#arrived = this.#clock.now();
    this.#events.opened();
    await this.#read(response);
  }

  pump(): void {
    if (!this.#location || this.#over) return;
    const now = this.#clock.now();
    const quiet = now - this.#arrived;
    if (quiet >= brokenAfter) return this.#break();
    if (quiet >= stalledAfter) this.#stall(true);
    if (this.#busy) return;
    const since = now - this.#sent;
    if (since >= lifeSign || (this.#retry && since >= again) || (this.#waiting.length > 0 && since >= piece)) void this.#piece();
  }

  /** What failed is asked again with nothing in it: it may have arrived, and is too old to be worth a second time. */
  async #piece(): Promise<void> {
    this.#busy = true;
    this.#sent = this.#clock.now();
    const body = this.#retry ? new Uint8Array(0) : packed(this.#waiting.take());
    const response = await this.#ask(`${this.#location}/${this.#next}`, { method: 'POST', body }, answerWithin);
    this.#busy = false;
    if (this.#over) return;
    this.#retry = !response || response.status >= 500 || response.status === 429;
    if (!response || this.#retry) return;
    if (!response.ok) return this.#refused(response);
    this.#next++;
    this.#arrived = this.#clock.now();
    this.#stall(false);
    await this.#read(response);
    this.pump();
  }

  async #refused(response: Response): Promise<void> {
    const reason = await reasonIn(response);
    if (response.status === 410 && reason) this.#end(reason);
    else this.#break();
  }

  async #read(response: Response | null): Promise<void> {
    const told = (await response?.json().catch(() => null)) as { muted?: boolean } | null;
    const muted = told?.muted === true;
    if (this.#over || muted === this.#muted) return;
    this.#muted = muted;
    this.#events.muted(muted);
  }

  /** The answer; null where none came in time. */
  async #ask(path: string, init: RequestInit, within: number): Promise<Response | null> {
    const gone = new AbortController();
    const stop = this.#clock.after(within, () => gone.abort());
    try {
      return await this.#fetch(path, { ...init, credentials: 'omit', cache: 'no-store', signal: gone.signal });
    } catch {
      return null;
    } finally {
      stop();
    }
  }

  #stall(on: boolean): void {
    if (this.#stalled === on) return;
    this.#stalled = on;
    this.#events.stalled(on);
  }

  #end(reason: string): void {
    this.#rest();
    this.#events.ended(reason);
  }

  #break(): void {
    if (this.#over) return;
    this.close();
    this.#events.broken(true);
  }

  #rest(): void {
    this.#over = true;
    this.#stopLooking();
  }

  close(): void {
    if (this.#over) return;
    this.#rest();
    if (this.#location) this.#delete(this.#location);
  }

  #delete(location: string): void {
    this.#fetch(location, { method: 'DELETE', credentials: 'omit', keepalive: true }).catch(() => {
      // The server ends it by itself when nothing comes any more.
    });
  }
}

/** Each packet after its length and its time: u16 and u32, big-endian. */
export function packed(packets: readonly Packet[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(packets.reduce((sum, { opus }) => sum + 6 + opus.length, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const { at, opus } of packets) {
    view.setUint16(offset, 4 + opus.length);
    view.setUint32(offset + 2, at >>> 0);
    bytes.set(opus, offset + 6);
    offset += 6 + opus.length;
  }
  return bytes;
}
