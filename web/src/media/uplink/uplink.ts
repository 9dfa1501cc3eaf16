// Speaking over the web: the microphone's packets go up to the gateway, which brings them to the relay as one more microphone.
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../lib/refusal.ts';
import type { Permit, SessionState } from '../session.ts';
import { Backlog, type Packet } from './packets.ts';
import { PiecesWay, type Fetch } from './pieces-way.ts';
import { SocketWay, type Socket } from './socket-way.ts';
import type { OpenVoice, Voice } from './voice.ts';
import { roomOf, type Way, type WayEvents } from './way.ts';

/** Milliseconds that a packet may wait here; with what is on its way nothing is heard that is older than two seconds. */
const patience = { socket: 500, pieces: 1_500 } as const;
/** A network that lets no WebSocket through is not asked again for so long. */
const blockedFor = 600_000;

export interface UplinkParts {
  clock: Clock;
  voice: OpenVoice;
  /** Opens a WebSocket to a path of this origin; throws where the browser has none. */
  socket(path: string): Socket;
  fetch: Fetch;
  passage: Passage;
}

/** What is known of the network: whether WebSockets go through. */
export class Passage {
  #blockedUntil = -Infinity;

  isBlocked(now: number): boolean {
    return now < this.#blockedUntil;
  }

  block(now: number): void {
    this.#blockedUntil = now + blockedFor;
  }

  clear(): void {
    this.#blockedUntil = -Infinity;
  }
}

/** `voiceless`: this browser has no way of making what is sent. */
export interface UplinkEvents {
  state(state: SessionState): void;
  voiceless(): void;
}

export class Uplink {
  readonly #parts: UplinkParts;
  readonly #events: UplinkEvents;
  #backlog: Backlog;
  #way: Way | null = null;
  #voice: Voice | null = null;
  #track: MediaStreamTrack | null = null;
  #state: SessionState = 'connecting';
  #muted = false;

  constructor(parts: UplinkParts, events: UplinkEvents) {
    [this.#parts, this.#events] = [parts, events];
    this.#backlog = new Backlog(parts.clock, patience.socket);
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Opens the way up, and sends the microphone from then on. Throws when it is refused, or nothing goes through. */
  async open(permit: Permit, track: MediaStreamTrack | null): Promise<void> {
    this.#track = track;
    void this.#speak();
    await this.#climb(permit, this.#parts.passage.isBlocked(this.#parts.clock.now()) ? 'pieces' : 'socket');
  }

  #climb(permit: Permit, by: keyof typeof patience): Promise<void> {
    const { clock, passage } = this.#parts;
    return new Promise((resolve, reject) => {
      const way = this.#begin(permit, by, {
        opened: () => {
          this.#backlog.clear();
          this.#become('connected');
          resolve();
        },
        muted: (on) => void (this.#muted = on),
        stalled: (on) => this.#become(on ? 'lost' : 'connected'),
        ended: (reason) => this.#give(() => reject(new Refusal(403, reason))),
        broken: (spent) => {
          const opening = this.#state === 'connecting';
          if (by === 'socket' && opening) passage.block(clock.now());
          // The permit was shown to nobody: it opens the other way at once.
          if (by === 'socket' && opening && !spent) return void this.#climb(permit, 'pieces').then(resolve, reject);
          this.#give(() => reject(new Refusal(503, '')));
        },
      });
      this.#way = way;
    });
  }

  #begin(permit: Permit, by: keyof typeof patience, events: WayEvents): Way {
    const { clock } = this.#parts;
    this.#backlog = new Backlog(clock, patience[by]);
    const room = roomOf(permit.path);
    if (by === 'pieces') return new PiecesWay(room, permit.permit, this.#backlog, events, clock, this.#parts.fetch);
    return new SocketWay(this.#parts.socket(`/speak/${room}`), permit.permit, this.#backlog, events, clock);
  }

  /** It is over: whoever waits for it to open is told, else who follows its state. */
  #give(refuse: () => void): void {
    const opening = this.#state === 'connecting';
    this.#rest();
    if (opening) {
      this.#state = 'failed';
      return refuse();
    }
    this.#become('failed');
  }

  async #speak(): Promise<void> {
    try {
      const voice = await this.#parts.voice({ packet: (packet) => this.#said(packet), broken: () => this.#unable() });
      if (this.#state === 'closed' || this.#state === 'failed') return voice.close();
      this.#voice = voice;
      voice.take(this.#track);
    } catch {
      this.#unable();
    }
  }

  #unable(): void {
    this.#voice?.close();
    this.#voice = null;
    if (this.#state !== 'closed') this.#events.voiceless();
  }

  #said(packet: Packet): void {
    if (this.#muted || this.#state === 'connecting') return;
    this.#backlog.put(packet);
    this.#way?.pump();
  }

  /** Puts another microphone, or none, in place of the one that is sent. */
  send(track: MediaStreamTrack | null): void {
    this.#track = track;
    this.#voice?.take(track);
  }

  #become(state: SessionState): void {
    if (this.#state === state || this.#state === 'closed' || this.#state === 'failed') return;
    this.#state = state;
    this.#events.state(state);
  }

  #rest(): void {
    this.#voice?.close();
    this.#voice = null;
    this.#backlog.clear();
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#rest();
    this.#way?.close();
    this.#state = 'closed';
  }
}
