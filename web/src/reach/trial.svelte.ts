// One trial: each way by which sound of this hall may come, all at once, and what came of it as it comes.
import { reasonIn, Refusal } from '../lib/refusal.ts';
import { tryCall, tryTurn, type Called } from './calls.ts';
import { nothingYet, skewOf, type Outcome, type Reached, type Rung } from './code.ts';
import { trySocket } from './socket.ts';
import { arrivals, ending, judgedEvents, judgedSound, longestGap, whole } from './streams.ts';

const allWithin = 15_000;
const answerWithin = 8_000;
const longestWait = 35_000;
const shortestWait = 1_000;
const busy = new Set(['RELAY_FULL', 'RELAY_BUSY', 'RELAY_DRAINING', 'TOO_MANY_TRIALS', 'RATE_LIMITED', 'PART_UNAVAILABLE']);

export type Stage = 'ready' | 'waiting' | 'trying' | 'done' | 'away';

interface Slip {
  headers: { Authorization: string };
  iceUrls: string[];
  /** Where people speak over the web; empty where the hall has nothing for that. */
  speak: string;
}

export class Trial {
  stage = $state<Stage>('ready');
  reached = $state<Reached>({ ...nothingYet });
  /** The tone as it came over HTTPS, to be heard again. */
  recorded: ArrayBuffer | null = null;
  #peers: RTCPeerConnection[] = [];
  readonly #player: HTMLAudioElement;

  constructor(player: HTMLAudioElement) {
    this.#player = player;
  }

  /** Tries everything; fifteen seconds at most, and one wait where others try just now. */
  async run(): Promise<void> {
    this.stop();
    this.reached = { ...nothingYet, secure: location.protocol === 'https:' ? 'tls' : 'plain' };
    const slip = await this.#begin();
    if (!slip) return;
    this.stage = 'trying';
    const post = (offer: string): Promise<string> => this.#post(slip, offer);
    await Promise.all([
      this.#try('udp', () => this.#call(post, 'udp')),
      this.#try('tcp', () => this.#call(post, 'tcp')),
      this.#try('turn', () => tryTurn(slip.iceUrls)),
      this.#try('https', () => this.#sound(slip)),
      this.#try('socket', () => trySocket(slip.speak)),
      this.#try('events', () => this.#events(slip)),
    ]);
    void fetch('/reach/trial', { method: 'DELETE', headers: slip.headers, credentials: 'omit' }).catch(() => undefined);
    this.stop();
    this.stage = 'done';
  }

  /** Ends what is heard. */
  stop(): void {
    for (const peer of this.#peers) peer.close();
    this.#peers = [];
    this.#player.srcObject = null;
  }

  async #begin(): Promise<Slip | null> {
    for (const last of [false, true]) {
      const before = Date.now();
      const response = await fetch('/reach/trial', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}', credentials: 'omit', signal: AbortSignal.timeout(answerWithin),
      }).catch(() => null);
      if (response?.ok) {
        const told = (await response.json()) as { trial: string; now_ms: number; ice_urls: string[]; speak?: string };
        this.reached.clock = skewOf((before + Date.now()) / 2 - told.now_ms);
        return { headers: { Authorization: `Bearer ${told.trial}` }, iceUrls: told.ice_urls, speak: told.speak ?? '' };
      }
      const wait = 1000 * Number(response?.headers.get('Retry-After'));
      if (last || !response || !busy.has(await reasonIn(response)) || !(wait > 0)) {
        this.stage = 'away';
        return null;
      }
      this.stage = 'waiting';
      await new Promise((done) => setTimeout(done, Math.min(Math.max(wait, shortestWait), longestWait)));
    }
    return null;
  }

  async #try(rung: Rung, way: () => Promise<Outcome>): Promise<void> {
    const late = new Promise<Outcome>((done) => setTimeout(() => done('nothing'), allWithin));
    this.reached[rung] = await Promise.race([way().catch(whyNot), late]);
  }

  async #call(post: (offer: string) => Promise<string>, protocol: 'udp' | 'tcp'): Promise<Outcome> {
    const called: Called = await tryCall(post, protocol, (peer) => this.#peers.push(peer), (stream) => this.#hear(stream));
    if (called.roundTrip !== null) this.reached.roundTrip = Math.min(called.roundTrip, this.reached.roundTrip ?? Infinity);
    if (called.loss !== null && protocol === 'udp') this.reached.loss = called.loss;
    return called.outcome;
  }

  /** The first that connects is heard; another would play the same notes a moment later. */
  #hear(stream: MediaStream): void {
    if (this.#player.srcObject) return;
    this.#player.srcObject = stream;
    void this.#player.play().catch(() => undefined);
  }

  async #post(slip: Slip, offer: string): Promise<string> {
    const response = await fetch('/reach/whep', {
      method: 'POST', headers: { ...slip.headers, 'Content-Type': 'application/sdp' }, body: offer, credentials: 'omit', signal: AbortSignal.timeout(answerWithin),
    });
    if (!response.ok) throw new Refusal(response.status, await reasonIn(response));
    return response.text();
  }

  async #sound(slip: Slip): Promise<Outcome> {
    const arrived = await arrivals((signal) => opened(`/reach/tone.${ending()}`, slip, signal));
    this.recorded = whole(arrived);
    this.reached.gap = longestGap(arrived.times);
    return judgedSound(arrived);
  }

  async #events(slip: Slip): Promise<Outcome> {
    return judgedEvents(await arrivals((signal) => opened('/reach/events', slip, signal)));
  }
}

async function opened(path: string, slip: Slip, signal: AbortSignal): Promise<Response> {
  const response = await fetch(path, { headers: slip.headers, credentials: 'omit', cache: 'no-store', signal });
  if (!response.ok) throw new Refusal(response.status, await reasonIn(response));
  return response;
}

/** A refusal of ours, a network that gave no answer, or a browser that cannot. */
function whyNot(error: unknown): Outcome {
  if (error instanceof Refusal) return busy.has(error.reason) ? 'refused' : 'failed';
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError') ? 'nothing' : 'failed';
}
