// The sound of a room: which media session plays, and how another takes its place without a gap.
import { levels } from '../media/levels.ts';
import { microphone } from '../media/microphone.svelte.ts';
import { MediaSession, type Farewell, type Permit, type SessionKind } from '../media/session.ts';
import { endsSeat, makesRoom } from '../lib/reasons.ts';
import { reasonOf } from '../lib/refusal.ts';
import { waitBefore } from './decode.ts';

/** `tap`: the browser wants a tap before it plays. `blocked`: the network lets no calls through. `full`: no relay has room. */
export type SoundState = 'off' | 'connecting' | 'on' | 'tap' | 'reconnecting' | 'blocked' | 'full' | 'closed';

export interface SoundSource {
  /** A permit for a session; the room re-joins when the seat is gone. Throws when refused. */
  permit(kind: SessionKind): Promise<Permit>;
  /** The person's member number on stage, or 0. */
  member(): number;
  /** No session will be had any more: the room looks why. */
  refused(reason: string): void;
}

/** A relay that restarts is back within seconds: so many tries come quickly before they spread wider. */
const promptTries = 4;
const shortest = 300;

export class Sound {
  state = $state<SoundState>('off');
  kind = $state<SessionKind>('audience');
  readonly #source: SoundSource;
  #playing: MediaSession | null = null;
  #coming: MediaSession | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #round = 0;

  constructor(source: SoundSource) {
    this.#source = source;
    levels.start(
      () => this.#playing?.receivers ?? [],
      () => (this.kind === 'stage' ? { member: source.member(), level: microphone.level() } : null),
    );
    addEventListener('online', this.#retryNow);
  }

  /** Brings a session of a kind up; what plays now goes on until the new one sounds. */
  async start(kind: SessionKind, permit?: Permit): Promise<void> {
    // Who has left is not brought back by an answer that was still on its way.
    if (this.state === 'closed') return;
    this.#abandon();
    this.kind = kind;
    const round = this.#round;
    // What is wrong stays on show while it is tried again.
    if (this.state === 'off') this.state = 'connecting';
    else if (this.state === 'on' && this.#playing?.state !== 'connected') this.state = 'reconnecting';
    try {
      const usable = permit ?? (await this.#source.permit(kind));
      if (round !== this.#round) return;
      const session = new MediaSession(kind, (state) => this.#changed(session, state), usable.iceServers);
      this.#coming = session;
      await session.open(usable, kind === 'stage' ? microphone.track : null);
    } catch (error) {
      if (round === this.#round) this.#failed(error);
    }
  }

  /** A new session of the same kind, after a random wait within `spread` milliseconds; a stage is small and does not wait. */
  renew(spread: number): void {
    clearTimeout(this.#timer);
    const wait = this.kind === 'stage' ? Math.min(spread, shortest) : spread;
    this.#timer = setTimeout(() => void this.start(this.kind), Math.random() * wait);
  }

  /** The relay that serves what plays now. */
  get relay(): string {
    return this.#playing?.relay ?? '';
  }

  /** Sends the microphone as it is now: after it was opened late or given back. */
  async sendMicrophone(): Promise<void> {
    for (const session of [this.#playing, this.#coming]) {
      if (session?.kind === 'stage') await session.send(microphone.track);
    }
  }

  /** The person tapped: browsers now let the sound play. */
  async tapped(): Promise<void> {
    if (await this.#playing?.sound()) this.state = 'on';
  }

  /** Tries again at once: somebody pressed the button, or the network came back. */
  retry(): void {
    this.#failures = 0;
    this.state = 'connecting';
    void this.start(this.kind);
  }

  stop(how: Farewell): void {
    this.#abandon();
    removeEventListener('online', this.#retryNow);
    this.#playing?.close(how);
    this.#playing = null;
    levels.stop();
    this.state = 'closed';
  }

  #retryNow = (): void => {
    if (this.state === 'reconnecting' || this.state === 'blocked' || this.state === 'full') this.retry();
  };

  #abandon(): void {
    this.#round++;
    clearTimeout(this.#timer);
    this.#coming?.close('here');
    this.#coming = null;
  }

  #changed(session: MediaSession, state: string): void {
    if (state === 'connected' && session === this.#coming) void this.#takeOver(session);
    else if (state === 'connected' && session === this.#playing) this.state = 'on';
    else if (state === 'failed' && session === this.#coming) this.#failed(null);
    else if (state === 'failed' && session === this.#playing && !this.#coming) {
      this.state = 'reconnecting';
      this.renew(waitBefore(0, 1));
    }
  }

  async #takeOver(session: MediaSession): Promise<void> {
    this.#coming = null;
    const before = this.#playing;
    this.#playing = session;
    this.#failures = 0;
    before?.silence();
    this.state = (await session.sound()) ? 'on' : 'tap';
    // A seat that changed between audience and stage has a new epoch: the relay ends what belonged to the old one.
    before?.close(before.kind === session.kind ? 'here' : 'ended');
  }

  #failed(error: unknown): void {
    this.#coming?.close('here');
    this.#coming = null;
    const reason = reasonOf(error);
    if (endsSeat(reason)) return this.#source.refused(reason);
    this.#failures++;
    if (this.#playing?.state !== 'connected') {
      if (makesRoom(reason)) this.state = 'full';
      // Negotiated but never connected: that is the network between, not the server.
      else if (error === null) this.state = 'blocked';
      else this.state = 'reconnecting';
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.start(this.kind), waitBefore(Math.max(0, this.#failures - promptTries), Math.random()) + shortest);
  }
}
