// The own voice up a WebSocket: one binary message for each packet, and what the server says as JSON.
import type { Clock, Stop } from '../../lib/clock.ts';
import { rate, type Packet } from './packets.ts';
import { brokenAfter, openWithin, stalledAfter, type Way, type WayEvents, type Waiting } from './way.ts';

/** The part of a WebSocket that is used. */
export type Socket = Pick<WebSocket, 'binaryType' | 'bufferedAmount' | 'onopen' | 'onclose' | 'onmessage' | 'send' | 'close'>;

/** So much may be on its way without the server's word that it came: 1.5 s of speech. The system holds far more without a word. */
const unheardMost = 1.5 * rate;
/** Bytes that may wait in the browser. */
const bufferedMost = 6_000;
/** How often it is looked whether anything arrives. */
const look = 500;

interface Told {
  opened?: { muted?: boolean };
  heard?: number;
  muted?: boolean;
  ended?: { reason?: string };
}

export class SocketWay implements Way {
  readonly #socket: Socket;
  readonly #waiting: Waiting;
  readonly #events: WayEvents;
  readonly #clock: Clock;
  readonly #stopLooking: Stop;
  readonly #began: number;
  #shown = false;
  #opened = false;
  #over = false;
  #stalled = false;
  /** Packets that were sent, and not heard of since: when they were said, and when they were sent. */
  #unheard: { at: number; sent: number }[] = [];
  #tellsHeard = false;

  constructor(socket: Socket, permit: string, waiting: Waiting, events: WayEvents, clock: Clock) {
    [this.#socket, this.#waiting, this.#events, this.#clock] = [socket, waiting, events, clock];
    this.#began = clock.now();
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#shown = true;
      socket.send(JSON.stringify({ open: { permit, form: 'opus' } }));
    };
    socket.onmessage = ({ data }: MessageEvent) => this.#hear(data);
    socket.onclose = () => this.#break();
    this.#stopLooking = clock.every(look, () => this.#look());
  }

  pump(): void {
    if (!this.#opened || this.#over) return;
    while (this.#waiting.length > 0 && this.#flows()) {
      for (const packet of this.#waiting.take(1)) this.#send(packet);
    }
  }

  #flows(): boolean {
    const oldest = this.#unheard[0];
    const newest = this.#unheard.at(-1);
    if (this.#tellsHeard && oldest && newest && newest.at - oldest.at >= unheardMost) return false;
    return this.#socket.bufferedAmount < bufferedMost;
  }

  #send({ at, opus }: Packet): void {
    const message = new Uint8Array(4 + opus.length);
    new DataView(message.buffer).setUint32(0, at >>> 0);
    message.set(opus, 4);
    this.#socket.send(message);
    this.#unheard.push({ at, sent: this.#clock.now() });
    if (!this.#tellsHeard && this.#unheard.length > 100) this.#unheard.shift();
  }

  #hear(data: unknown): void {
    if (this.#over || typeof data !== 'string') return;
    const told = read(data);
    if (told.ended) return this.#end(told.ended.reason ?? '');
    if (told.opened && !this.#opened) {
      this.#opened = true;
      this.#events.opened();
      if (told.opened.muted) this.#events.muted(true);
    }
    if (told.muted !== undefined) this.#events.muted(told.muted);
    if (told.heard !== undefined) this.#arrived(told.heard);
  }

  #arrived(heard: number): void {
    this.#tellsHeard = true;
    const last = this.#unheard.findLastIndex(({ at }) => at >>> 0 === heard);
    this.#unheard.splice(0, last + 1);
    this.#stall(false);
    this.pump();
  }

  #look(): void {
    const now = this.#clock.now();
    if (!this.#opened) {
      if (now - this.#began >= openWithin) this.#break();
      return;
    }
    const oldest = this.#unheard[0];
    const waits = this.#tellsHeard && oldest ? now - oldest.sent : 0;
    if (waits >= brokenAfter) return this.#break();
    this.#stall(waits >= stalledAfter);
    this.pump();
  }

  #stall(on: boolean): void {
    if (this.#stalled === on) return;
    this.#stalled = on;
    this.#events.stalled(on);
  }

  #end(reason: string): void {
    this.close();
    this.#events.ended(reason);
  }

  #break(): void {
    if (this.#over) return;
    this.close();
    this.#events.broken(this.#shown);
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopLooking();
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }
}

function read(text: string): Told {
  try {
    return (JSON.parse(text) as Told | null) ?? {};
  } catch {
    return {};
  }
}
