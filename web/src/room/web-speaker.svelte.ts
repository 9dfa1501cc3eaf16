// Speaking over the web while the room is heard over it: one uplink after another, from when the sound asks for it until it does no more.
import { paces, type BackOff, type Waits } from '../lib/back-off.ts';
import type { Network, Stop } from '../lib/clock.ts';
import { endsSeat } from '../lib/reasons.ts';
import { lacksRoom, reasonOf } from '../lib/refusal.ts';
import type { Permit, SessionKind, SessionState } from '../media/session.ts';
import type { Uplink, UplinkEvents } from '../media/uplink/uplink.ts';

/** `lost`: it was up, and comes again by itself. `full`: no relay has room. `unable`: this browser has no way of sending a voice. */
export type SpeakerState = 'off' | 'connecting' | 'on' | 'lost' | 'full' | 'unable';

/** The part of an uplink that is used. */
export type Up = Pick<Uplink, 'open' | 'send' | 'close'>;

export interface SpeakerSource {
  permit(kind: SessionKind): Promise<Permit>;
  /** No session will be had any more: the room looks why. */
  refused(reason: string): void;
}

export interface SpeakerParts {
  uplink(events: UplinkEvents): Up;
  microphone: { readonly track: MediaStreamTrack | null };
  waits: Waits;
  network: Network;
}

export class WebSpeaker {
  state = $state<SpeakerState>('off');
  readonly #source: SpeakerSource;
  readonly #parts: SpeakerParts;
  readonly #again: BackOff;
  #deaf: Stop | null = null;
  #up: Up | null = null;
  #round = 0;

  constructor(source: SpeakerSource, parts: SpeakerParts) {
    [this.#source, this.#parts] = [source, parts];
    this.#again = parts.waits(paces.sound);
  }

  /** The voice goes over the web from now on. Asked for again it changes nothing. */
  up(): void {
    if (this.state !== 'off') return;
    this.#again.reset();
    this.#deaf = this.#parts.network.whenBack(() => this.#again.hurry());
    this.state = 'connecting';
    void this.#begin();
  }

  /** It does no more: the call is back, the place on stage is gone, or the room. */
  down(): void {
    this.#end();
    this.#deaf?.();
    this.state = 'off';
  }

  /** Sends the microphone as it is now. */
  sendMicrophone(): void {
    this.#up?.send(this.#parts.microphone.track);
  }

  /** Another place on the same stage: with a permit for it. */
  renew(): void {
    if (this.state === 'off') return;
    this.#end();
    this.state = 'connecting';
    void this.#begin();
  }

  #end(): void {
    this.#round++;
    this.#again.stop();
    this.#up?.close();
    this.#up = null;
  }

  async #begin(): Promise<void> {
    const round = this.#round;
    const mine = (): boolean => round === this.#round;
    try {
      const permit = await this.#source.permit('stage');
      if (!mine()) return;
      const up = this.#parts.uplink({
        state: (state) => mine() && this.#changed(state),
        voiceless: () => mine() && (this.state = 'unable'),
      });
      this.#up = up;
      await up.open(permit, this.#parts.microphone.track);
    } catch (error) {
      if (mine()) this.#failed(error);
    }
  }

  #changed(state: SessionState): void {
    if (state === 'failed') return this.#failed(null);
    if (this.state === 'unable') return;
    if (state === 'connected') this.#again.reset();
    this.state = state === 'connected' ? 'on' : 'lost';
  }

  #failed(error: unknown): void {
    this.#end();
    const reason = reasonOf(error);
    if (endsSeat(reason)) {
      this.down();
      return this.#source.refused(reason);
    }
    if (this.state !== 'unable') this.state = lacksRoom(error) ? 'full' : this.state === 'connecting' ? 'connecting' : 'lost';
    this.#again.again(() => void this.#begin());
  }
}
