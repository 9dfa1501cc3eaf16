// Listening over HTTPS in the shape of a media session, so that a room's sound moves to it and from it as between any two.
import { Refusal } from '../lib/refusal.ts';
import { LivePlayer, type LiveParts } from './live-player.ts';
import type { SessionKind, SessionState } from './session.ts';

export type WebParts = Pick<LiveParts, 'open' | 'address' | 'sink' | 'clock' | 'waits' | 'isFinal'>;

export class WebSession {
  readonly rung = 'https';
  readonly kind: SessionKind;
  /** No relay is spoken to. */
  readonly relay = '';
  readonly way = '';
  readonly receivers = [];
  readonly voices = [];
  readonly #player: LivePlayer;

  constructor(kind: SessionKind, tell: (state: SessionState, error: unknown) => void, parts: WebParts) {
    this.kind = kind;
    this.#player = new LivePlayer({ ...parts, tell });
  }

  get state(): SessionState {
    return this.#player.state;
  }

  get heard(): boolean {
    return this.#player.heard;
  }

  get bytes(): number {
    return this.#player.bytes;
  }

  get behind(): number {
    return this.#player.behind;
  }

  /** The page's own cookie opens it: no permit is spent. */
  async open(): Promise<void> {
    await this.#player.start();
  }

  async change(): Promise<boolean> {
    return false;
  }

  async send(): Promise<void> {
    // Nothing is said here.
  }

  sound(): Promise<boolean> {
    return this.#player.play();
  }

  silence(silent = true): void {
    this.#player.silence(silent);
  }

  close(): void {
    this.#player.close();
  }
}

/** A refusal that no other try changes: the seat, the sign-in or the room is over. */
export function isFinal(error: unknown): boolean {
  return error instanceof Refusal && error.status < 500 && error.status !== 429;
}
