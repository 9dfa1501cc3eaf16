// What a room's sound is made of, and what it tells. Types only.
import type { Waits } from '../lib/back-off.ts';
import type { Clock, Network } from '../lib/clock.ts';
import type { Levels } from '../media/levels.ts';
import type { Way } from '../media/pulse.ts';
import type { IceServer, MediaSession, Permit, SessionKind, SessionState } from '../media/session.ts';
import type { StageEar } from '../media/stage-ear.ts';
import type { Wish } from './hearing.ts';
import type { RungHint } from './rungs.ts';

/**
 * `tap`: the browser wants a tap before it plays. `reconnecting`: the sound is lost and comes again by itself. `blocked`: the
 * network lets no sound through. `full`: no relay has room. `text`: nothing but text was chosen.
 */
export type SoundState = 'off' | 'connecting' | 'on' | 'tap' | 'reconnecting' | 'blocked' | 'full' | 'text' | 'closed';

export interface SoundSource {
  /** A permit for a session, or for another channel of the one that plays; the room re-joins when the seat is gone. Throws when refused. */
  permit(kind: SessionKind, changing?: boolean): Promise<Permit>;
  /** The person's member number on stage, or 0. */
  member(): number;
  /** No session will be had any more: the room looks why. */
  refused(reason: string): void;
  /** Opens a stream over HTTPS of what the person wishes to hear now. */
  listening<T>(open: (wish: Wish) => Promise<T>): Promise<T>;
  /** Whether the person chose text alone. */
  silent(): boolean;
  /** They choose it, or sound again. */
  choose(silent: boolean): void;
  /** No sound gets through: text is what there is. */
  muffled(): unknown;
}

/** The part of a media session that is used. */
export type Session = Pick<MediaSession, 'kind' | 'state' | 'relay' | 'receivers' | 'voices' | 'heard' | 'open' | 'change' | 'send' | 'sound' | 'silence' | 'close'> & {
  readonly rung: 'call' | 'https';
  readonly way: Way;
  /** Seconds behind who speaks. */
  readonly behind: number;
  /** All that went over the network for it, where that is counted. */
  readonly bytes?: number;
};

/** Who speaks while the stage is heard over HTTPS does so another way. */
export interface Uplink {
  /** The stage is heard over HTTPS: the voice is to go up beside it. */
  up(): void;
  /** A call carries the voice again, or nobody is on stage. */
  down(): void;
  /** The microphone is another one, or none. */
  sendMicrophone(): void;
}

/** Makes a session over HTTPS that tells its state, with what refused it. */
export type MakeWeb = (kind: SessionKind, tell: (state: SessionState, error: unknown) => void) => Session;

export interface SoundParts {
  web: MakeWeb;
  /** Makes a session that tells its state. */
  session(kind: SessionKind, tell: (state: SessionState) => void, iceServers?: readonly IceServer[]): Session;
  microphone: { readonly track: MediaStreamTrack | null; level(): number };
  levels: Pick<Levels, 'start' | 'stop'>;
  ear: Pick<StageEar, 'follow' | 'rest'>;
  clock: Clock;
  random: () => number;
  waits: Waits;
  network: Network;
  hint: Pick<RungHint, 'low' | 'note' | 'forget'>;
  uplink?: Uplink;
}
