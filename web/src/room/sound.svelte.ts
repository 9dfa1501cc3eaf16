// The sound of a room: which media session plays, and how another takes its place without a gap.
import { paces, type BackOff, type Waits } from '../lib/back-off.ts';
import type { Clock, Network, Stop } from '../lib/clock.ts';
import type { Levels } from '../media/levels.ts';
import type { StageEar } from '../media/stage-ear.ts';
import type { Farewell, IceServer, MediaSession, Permit, SessionKind, SessionState } from '../media/session.ts';
import { endsSeat } from '../lib/reasons.ts';
import { lacksRoom, reasonOf } from '../lib/refusal.ts';

/**
 * `tap`: the browser wants a tap before it plays. `reconnecting`: the sound is lost and comes again by itself. `blocked`: the
 * network lets no calls through. `full`: no relay has room.
 */
export type SoundState = 'off' | 'connecting' | 'on' | 'tap' | 'reconnecting' | 'blocked' | 'full' | 'closed';

export interface SoundSource {
  /** A permit for a session, or for another channel of the one that plays; the room re-joins when the seat is gone. Throws when refused. */
  permit(kind: SessionKind, changing?: boolean): Promise<Permit>;
  /** The person's member number on stage, or 0. */
  member(): number;
  /** No session will be had any more: the room looks why. */
  refused(reason: string): void;
}

/** A connection that was there and broke is made anew within this time. */
const soon = 2_000;
/** A stage is small: all of it may come back at once. */
const shortest = 300;

/** Where nobody speaks a new session carries no sound either: after so long it takes over all the same. */
const silent = 1_000;
/** How often a new session is asked for its sound: both play for no longer than this. */
const ask = 20;

/** The part of a media session that is used. */
export type Session = Pick<MediaSession, 'kind' | 'state' | 'relay' | 'receivers' | 'voices' | 'heard' | 'open' | 'change' | 'send' | 'sound' | 'silence' | 'close'>;

export interface SoundParts {
  /** Makes a session that tells its state. */
  session(kind: SessionKind, tell: (state: SessionState) => void, iceServers?: readonly IceServer[]): Session;
  microphone: { readonly track: MediaStreamTrack | null; level(): number };
  levels: Pick<Levels, 'start' | 'stop'>;
  ear: Pick<StageEar, 'follow' | 'rest'>;
  clock: Clock;
  waits: Waits;
  network: Network;
  random: () => number;
}

export class Sound {
  state = $state<SoundState>('off');
  kind = $state<SessionKind>('audience');
  /** The relay that serves what plays now. */
  relay = $state('');
  readonly #source: SoundSource;
  readonly #parts: SoundParts;
  readonly #again: BackOff;
  readonly #deaf: Stop;
  #playing: Session | null = null;
  #coming: Session | null = null;
  #stopRenewal: Stop | null = null;
  #stopAsking: Stop | null = null;
  #round = 0;

  constructor(source: SoundSource, parts: SoundParts) {
    this.#source = source;
    this.#parts = parts;
    this.#again = parts.waits(paces.sound);
    parts.levels.start(
      () => this.#playing?.receivers ?? [],
      () => (this.kind === 'stage' ? { member: source.member(), level: parts.microphone.level() } : null),
    );
    this.#deaf = parts.network.whenBack(() => this.#retryNow());
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
      const session = this.#parts.session(kind, (state) => this.#changed(session, state), usable.iceServers);
      this.#coming = session;
      await session.open(usable, kind === 'stage' ? this.#parts.microphone.track : null);
    } catch (error) {
      if (round === this.#round) this.#failed(error);
    }
  }

  /** A new session of the same kind, after a random wait within `spread` milliseconds; a stage is small and does not wait. */
  renew(spread: number): void {
    this.#rest();
    const wait = this.kind === 'stage' ? Math.min(spread, shortest) : spread;
    this.#stopRenewal = this.#parts.clock.after(this.#parts.random() * wait, () => void this.start(this.kind));
  }

  /** What is asked for with a permit has changed: the same session hears it where it can, else another one takes over. */
  async change(): Promise<void> {
    const { kind } = this;
    const playing = this.#playing;
    if (this.state === 'closed') return;
    if (playing?.kind !== kind || playing.state !== 'connected') return this.start(kind);
    this.#abandon();
    const round = this.#round;
    try {
      const permit = await this.#source.permit(kind, true);
      if (round !== this.#round || (await playing.change(permit)) || round !== this.#round) return;
    } catch (error) {
      return this.#failed(error);
    }
    await this.start(kind);
  }

  /** Sends the microphone as it is now: after it was opened late or given back. */
  async sendMicrophone(): Promise<void> {
    for (const session of [this.#playing, this.#coming]) {
      if (session?.kind === 'stage') await session.send(this.#parts.microphone.track);
    }
  }

  /** The person tapped: browsers now let the sound play. */
  async tapped(): Promise<void> {
    if (await this.#playing?.sound()) this.state = 'on';
  }

  /** Tries again at once: somebody pressed the button, or the network came back. */
  retry(): void {
    this.#again.reset();
    this.state = 'connecting';
    void this.start(this.kind);
  }

  stop(how: Farewell): void {
    this.#abandon();
    this.#deaf();
    this.#playing?.close(how);
    this.#playing = null;
    this.#parts.ear.rest();
    this.relay = '';
    this.#parts.levels.stop();
    this.state = 'closed';
  }

  #retryNow(): void {
    if (this.state === 'reconnecting' || this.state === 'blocked' || this.state === 'full') this.retry();
  }

  /** What waits to be begun is not begun. */
  #rest(): void {
    this.#stopRenewal?.();
    this.#again.stop();
  }

  #abandon(): void {
    this.#round++;
    this.#rest();
    this.#stopAsking?.();
    this.#coming?.close('here');
    this.#coming = null;
  }

  #changed(session: Session, state: SessionState): void {
    if (state === 'connected' && session === this.#coming) this.#whenHeard(session);
    else if (state === 'connected' && session === this.#playing) void this.#isBack(session);
    else if (state === 'lost' && session === this.#playing) this.state = 'reconnecting';
    else if (state === 'failed' && session === this.#coming) this.#failed(null);
    else if (state === 'failed' && session === this.#playing && !this.#coming) {
      this.state = 'reconnecting';
      this.renew(soon);
    }
  }

  /** What was lost sounds again by itself; whether the browser wants a tap is asked again. */
  async #isBack(session: Session): Promise<void> {
    const sounds = await session.sound();
    if (session === this.#playing && session.state === 'connected') this.state = sounds ? 'on' : 'tap';
  }

  /** Takes over once the new session carries sound: what plays goes on until then. */
  #whenHeard(session: Session): void {
    const before = this.#playing;
    if (before?.state !== 'connected' || before.kind !== 'audience' || session.kind !== 'audience') return void this.#takeOver(session);
    const { clock } = this.#parts;
    const latest = clock.now() + silent;
    this.#stopAsking?.();
    const stop = clock.every(ask, () => {
      if (!session.heard && before.state === 'connected' && clock.now() < latest) return;
      stop();
      if (session === this.#coming) void this.#takeOver(session);
    });
    this.#stopAsking = stop;
  }

  async #takeOver(session: Session): Promise<void> {
    this.#coming = null;
    const before = this.#playing;
    this.#playing = session;
    this.relay = session.relay;
    this.#again.reset();
    before?.silence();
    if (session.kind === 'stage') this.#parts.ear.follow(session);
    else this.#parts.ear.rest();
    this.state = (await session.sound()) ? 'on' : 'tap';
    // A seat that changed between audience and stage has a new epoch: the relay ends what belonged to the old one.
    before?.close(before.kind === session.kind ? 'here' : 'ended');
  }

  #failed(error: unknown): void {
    this.#coming?.close('here');
    this.#coming = null;
    const reason = reasonOf(error);
    if (endsSeat(reason)) return this.#source.refused(reason);
    if (this.#playing?.state !== 'connected') {
      if (lacksRoom(error)) this.state = 'full';
      // Negotiated but never connected: that is the network between, not the server.
      else if (error === null) this.state = 'blocked';
      else this.state = 'reconnecting';
    }
    this.#rest();
    this.#again.again(() => void this.start(this.kind));
  }
}
