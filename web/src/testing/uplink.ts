// The gateway's side of speaking over the web, and a person who speaks, as tests play them.
import type { Packet } from '../media/uplink/packets.ts';
import type { Socket } from '../media/uplink/socket-way.ts';
import type { WayEvents } from '../media/uplink/way.ts';
import type { FakeClock } from './clock.ts';

/** What a way told, in words. */
export type Told = string;

export function written(told: Told[]): WayEvents {
  return {
    opened: () => void told.push('opened'),
    muted: (on) => void told.push(on ? 'muted' : 'unmuted'),
    stalled: (on) => void told.push(on ? 'stalled' : 'flows'),
    ended: (reason) => void told.push(`ended: ${reason}`),
    broken: (spent) => void told.push(spent ? 'broken: spent' : 'broken'),
  };
}

const spoken = new WeakMap<FakeClock, number>();

/** Somebody speaks: a packet each 20 ms. Returns the time of the next one, in samples. */
export async function saying(clock: FakeClock, milliseconds: number, hear: (packet: Packet, index: number) => void): Promise<number> {
  let at = saying.at(clock);
  for (let index = 0; index < milliseconds / 20; index++) {
    hear({ at, opus: Uint8Array.of(0x48, index & 255) }, index);
    at += 960;
    spoken.set(clock, at);
    await clock.pass(20);
  }
  return at;
}

saying.at = (clock: FakeClock): number => spoken.get(clock) ?? 0;

export class FakeSocket implements Socket {
  binaryType: BinaryType = 'blob';
  bufferedAmount = 0;
  onopen: ((event: Event) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  readonly texts: unknown[] = [];
  readonly packets: Uint8Array[] = [];
  closed = false;

  /** When what was sent had been said. */
  get times(): number[] {
    return this.packets.map((message) => new DataView(message.buffer).getUint32(0));
  }

  send = (data: unknown): void => {
    if (typeof data === 'string') this.texts.push(JSON.parse(data));
    else this.packets.push(data as Uint8Array);
  };
  close = (): void => void (this.closed = true);
  opens = (): void => this.onopen?.(new Event('open'));
  fails = (): void => this.onclose?.(new Event('close') as CloseEvent);
  says = (word: object): void => this.saysText(JSON.stringify(word));
  saysText = (data: string): void => this.onmessage?.(new MessageEvent('message', { data }));
}

/** Takes pieces as the gateway does: in order, each once. */
export class FakePieces {
  readonly played: number[] = [];
  readonly deleted: { location: string; leaving: boolean }[] = [];
  /** How long a piece is on its way, in milliseconds. */
  takes = 0;
  loses: 'nothing' | 'answers' | 'pieces' = 'nothing';
  refuses: { status: number; reason: string } | null = null;
  muted = false;
  pieces = 0;
  /** How many were on their way at once at most. */
  most = 0;
  longestSilence = 0;
  /** How late the latest packet was played, in milliseconds. */
  latest = 0;
  opened = 0;
  #flying = 0;
  #next = 0;
  #heard = 0;

  constructor(private readonly clock: FakeClock) {}

  readonly fetch: typeof fetch = async (input, init) => {
    const path = String(input);
    const method = init?.method ?? 'GET';
    if (method === 'DELETE') return this.deleted.push({ location: path, leaving: init?.keepalive === true }), this.#answer(200, {});
    if (this.refuses) return this.#answer(this.refuses.status, { reason: this.refuses.reason });
    if (path.includes('?')) {
      this.opened++;
      return this.#answer(201, { session_id: 's', muted: this.muted }, { Location: `${path.split('?')[0]}/1` });
    }
    return this.#piece(Number(path.split('/').at(-1)), init?.body as Uint8Array, init?.signal ?? null);
  };

  async #piece(number: number, body: Uint8Array, signal: AbortSignal | null): Promise<Response> {
    this.most = Math.max(this.most, ++this.#flying);
    if (this.loses !== 'pieces') this.#take(number, body);
    const arrives = this.loses === 'nothing' ? this.takes : Infinity;
    try {
      await new Promise<void>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new DOMException('late', 'AbortError')));
        if (arrives === 0) resolve();
        else if (arrives < Infinity) this.clock.after(arrives, resolve);
      });
    } finally {
      this.#flying--;
    }
    return this.#answer(200, { next: this.#next, muted: this.muted });
  }

  #take(number: number, body: Uint8Array): void {
    if (number !== this.#next) return;
    this.#next++;
    this.pieces++;
    const now = this.clock.now();
    this.longestSilence = Math.max(this.longestSilence, now - this.#heard);
    this.#heard = now;
    const view = new DataView(body.buffer, body.byteOffset);
    for (let at = 0; at < body.length; at += 2 + view.getUint16(at)) {
      const said = view.getUint32(at + 2);
      this.played.push(said);
      this.latest = Math.max(this.latest, now - said / 48);
    }
  }

  #answer(status: number, body: object, headers: Record<string, string> = {}): Response {
    return new Response(JSON.stringify(body), { status, headers });
  }
}
