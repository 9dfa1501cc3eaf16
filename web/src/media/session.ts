// One media session with a relay: WHEP for the audience (one stream), WHIP for the stage (microphone out, four slots in).
import type { Clock, Stop } from '../lib/clock.ts';
import { reasonIn, Refusal } from '../lib/refusal.ts';
import { countedIn, Pulse, wayIn, type Way } from './pulse.ts';
import { bytesIn } from './bytes.ts';
import { withDtx, withRed } from './sdp.ts';

export type SessionKind = 'audience' | 'stage';
/** `lost`: nothing is heard of the relay, and it may come back by itself. */
export type SessionState = 'connecting' | 'connected' | 'lost' | 'failed' | 'closed';

/** How a session ends: by us, by us while the page goes away, or by the relay already. */
export type Farewell = 'here' | 'leaving' | 'ended';

/** A STUN or TURN server, as a permit brings it. */
export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
}

/** One stream of a session, and what tells who is in it. */
export interface Incoming {
  id: string;
  stream: MediaStream;
  receiver: Pick<RTCRtpReceiver, 'getContributingSources'>;
}

export interface Permit {
  permit: string;
  path: string;
  iceServers?: IceServer[];
}

/** Not connected within this time means that the network lets no calls through. */
export const connectWithin = 8_000;
/** A lost connection may come back by itself within this time. */
const patience = 3_000;
/** How often it is looked whether the relay is heard. */
const look = 500;
const slots = 4;
const answerWithin = 10_000;

export class MediaSession {
  readonly kind: SessionKind;
  readonly rung = 'call';
  /** Nobody is behind in a call. */
  readonly behind = 0;
  readonly #pc: RTCPeerConnection;
  readonly #players: HTMLAudioElement[] = [];
  readonly #incoming: Incoming[] = [];
  readonly #onState: (state: SessionState) => void;
  #sender: RTCRtpSender | undefined;
  #location = '';
  #permit = '';
  #state: SessionState = 'connecting';
  readonly #clock: Clock;
  readonly #pulse = new Pulse();
  #stopWaiting: Stop = () => undefined;
  #stopLooking: Stop = () => undefined;
  #counting = false;
  #way: Way = '';
  #bytes = 0;

  /** With `iceServers` the browser also tries the way through them, and takes it where UDP is blocked (RFC 8445). */
  constructor(kind: SessionKind, onState: (state: SessionState) => void, clock: Clock, iceServers: readonly IceServer[] = []) {
    this.kind = kind;
    this.#clock = clock;
    this.#onState = onState;
    this.#pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers: iceServers.map(plain) });
    this.#pc.addEventListener('connectionstatechange', () => this.#look());
    this.#pc.addEventListener('iceconnectionstatechange', () => this.#look());
    this.#pc.addEventListener('track', (event) => this.#play(event));
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The relay that serves this session, from its address. */
  get relay(): string {
    return /\/media\/([^/]+)\//.exec(this.#location)?.[1] ?? '';
  }

  /** How its sound comes. */
  get way(): Way {
    return this.#way;
  }

  /** All that went over the network for it, as last counted. */
  get bytes(): number {
    return this.#bytes;
  }

  get receivers(): RTCRtpReceiver[] {
    return this.#pc.getReceivers();
  }

  /** Whether sound has come: a programme where nobody speaks sends none. */
  get heard(): boolean {
    return this.#pc.getReceivers().some((receiver) => receiver.getSynchronizationSources().length > 0);
  }

  /** Offers, sends the offer with the permit, and takes the answer; the connection comes later, by state. */
  async open(permit: Permit, microphone: MediaStreamTrack | null): Promise<void> {
    this.#describe(microphone);
    await this.#pc.setLocalDescription();
    const answer = await this.#post(permit, this.#pc.localDescription?.sdp ?? '');
    if (this.#state === 'closed') return this.#delete(false);
    await this.#pc.setRemoteDescription({ type: 'answer', sdp: this.kind === 'stage' ? withDtx(answer) : answer });
    this.#stopWaiting = this.#clock.after(connectWithin, () => this.#look(true));
  }

  #describe(microphone: MediaStreamTrack | null): void {
    if (this.kind === 'stage') {
      this.#sender = this.#pc.addTransceiver(microphone ?? 'audio', { direction: 'sendonly' }).sender;
      for (let slot = 0; slot < slots; slot++) this.#pc.addTransceiver('audio', { direction: 'recvonly' });
      return;
    }
    const transceiver = this.#pc.addTransceiver('audio', { direction: 'recvonly' });
    const codecs = withRed(RTCRtpReceiver.getCapabilities('audio')?.codecs ?? []);
    if (codecs.length > 0) transceiver.setCodecPreferences?.(codecs);
  }

  async #post(permit: Permit, offer: string): Promise<string> {
    const response = await fetch(permit.path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${permit.permit}` },
      body: offer,
      credentials: 'omit',
      signal: AbortSignal.timeout(answerWithin),
    });
    if (!response.ok) throw new Refusal(response.status, await reasonIn(response));
    this.#location = response.headers.get('Location') ?? '';
    this.#permit = permit.permit;
    return response.text();
  }

  /** Hears another channel over the same connection, by a permit for it; false where that cannot be, and a new session has to. The one that opened it stays the session's own. */
  async change(permit: Permit): Promise<boolean> {
    if (!this.#location || this.#state !== 'connected') return false;
    const headers = { Authorization: `Bearer ${permit.permit}` };
    const asked = fetch(`${this.#location}/channel`, { method: 'PUT', headers, credentials: 'omit', signal: AbortSignal.timeout(answerWithin) });
    const response = await asked.catch(() => null);
    return response?.ok === true;
  }

  /** Puts another microphone, or none, in place of the one that is sent. */
  async send(microphone: MediaStreamTrack | null): Promise<void> {
    await this.#sender?.replaceTrack(microphone);
  }

  /** What comes in, one voice at a time on each: who speaks there is among its sources. */
  get voices(): readonly Incoming[] {
    return this.#incoming;
  }

  #play({ track, streams, receiver }: RTCTrackEvent): void {
    const player = new Audio();
    player.autoplay = true;
    player.srcObject = streams[0]?.getTracks().length === 1 ? streams[0] : new MediaStream([track]);
    this.#players.push(player);
    if (player.srcObject instanceof MediaStream) this.#incoming.push({ id: track.id, stream: player.srcObject, receiver });
  }

  /** Starts the sound; false when the browser wants a tap first. */
  async sound(): Promise<boolean> {
    try {
      await Promise.all(this.#players.map((player) => player.play()));
      return true;
    } catch (error) {
      return !(error instanceof DOMException && error.name === 'NotAllowedError');
    }
  }

  silence(silent = true): void {
    for (const player of this.#players) player.muted = silent;
  }

  #look(late = false): void {
    const { connectionState, iceConnectionState } = this.#pc;
    if (connectionState === 'failed' || iceConnectionState === 'failed') return this.#become('failed');
    if (connectionState === 'connected') return this.#become('connected');
    if (late) return this.#become('failed');
    if (connectionState === 'disconnected' || iceConnectionState === 'disconnected') this.#lose();
  }

  /** It may come back by itself for a while. */
  #lose(): void {
    if (this.#state !== 'connected') return;
    this.#become('lost');
    this.#stopWaiting = this.#clock.after(patience, () => this.#become('failed'));
  }

  #become(state: SessionState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#stopWaiting();
    this.#state = state;
    if (state === 'connected') this.#watch();
    else if (state === 'failed') this.#stopLooking();
    this.#onState(state);
  }

  /** The browser's own word comes seconds after the sound went: what it counts tells sooner. */
  #watch(): void {
    this.#stopLooking();
    this.#stopLooking = this.#clock.every(look, () => void this.#count());
  }

  async #count(): Promise<void> {
    if (this.#counting) return;
    this.#counting = true;
    const report = await this.#pc.getStats().catch(() => null);
    this.#counting = false;
    if (!report || (this.#state !== 'connected' && this.#state !== 'lost')) return;
    const rows = [...(report as unknown as ReadonlyMap<string, Record<string, unknown>>).values()];
    this.#way = wayIn(rows);
    this.#bytes = bytesIn(rows);
    if (this.#pulse.isLost(countedIn(rows), this.#clock.now())) this.#lose();
    else if (this.#state === 'lost') this.#look();
  }

  /** Ends the session. */
  close(how: Farewell): void {
    if (this.#state === 'closed') return;
    this.#stopWaiting();
    this.#stopLooking();
    this.#state = 'closed';
    for (const player of this.#players) player.srcObject = null;
    this.#pc.close();
    if (how !== 'ended') this.#delete(how === 'leaving');
  }

  #delete(leaving: boolean): void {
    if (!this.#location) return;
    void fetch(this.#location, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${this.#permit}` },
      credentials: 'omit',
      keepalive: leaving,
    }).catch(() => {
      // The relay ends it by itself when the checks stop.
    });
  }
}

/** Without names and passwords where there are none: an empty one is not the same to a browser. */
function plain({ urls, username, credential }: IceServer): RTCIceServer {
  return username ? { urls, username, credential } : { urls };
}
