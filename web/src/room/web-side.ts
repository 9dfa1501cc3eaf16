// The lower rung of a room's sound: the stream over HTTPS that plays or comes, and one that takes the place of another.
import type { Clock, Stop } from '../lib/clock.ts';
import type { SessionKind, SessionState } from '../media/session.ts';
import type { MakeWeb, Session } from './sound-parts.ts';

export interface WebSideParts {
  web: MakeWeb;
  clock: Clock;
  random: () => number;
}

export interface WebListener {
  /** A stream plays from now on, or again. */
  sounds(session: Session): void;
  /** What played has stopped, and may come back by itself. */
  stalls(session: Session): void;
  /** No stream is had: refused with this, or null where nothing came. */
  failed(error: unknown): void;
}

export class WebSide {
  readonly #parts: WebSideParts;
  readonly #listener: WebListener;
  #coming: Session | null = null;
  #sounding: Session | null = null;
  #stop: Stop | null = null;

  constructor(parts: WebSideParts, listener: WebListener) {
    this.#parts = parts;
    this.#listener = listener;
  }

  /** Whether one is on its way. */
  get comes(): boolean {
    return this.#coming !== null || this.#stop !== null;
  }

  /** Brings one up; what came before it and did not sound yet is given up. Many who fall at once come spread over `spread` milliseconds. */
  begin(kind: SessionKind, spread = 0): void {
    this.drop();
    const wait = this.#parts.random() * spread;
    if (wait > 0) this.#stop = this.#parts.clock.after(wait, () => this.#open(kind));
    else this.#open(kind);
  }

  #open(kind: SessionKind): void {
    this.#stop = null;
    const session = this.#parts.web(kind, (state, error) => this.#changed(session, state, error));
    this.#coming = session;
    session.open({ permit: '', path: '' }, null).catch((error: unknown) => {
      if (session === this.#coming) this.#lose(error);
    });
  }

  /** What was on its way is not waited for any more. */
  drop(): void {
    this.#stop?.();
    this.#stop = null;
    this.#coming?.close('here');
    this.#coming = null;
  }

  #changed(session: Session, state: SessionState, error: unknown): void {
    if (session !== this.#coming && session !== this.#sounding) return;
    if (state === 'connected') {
      if (session === this.#coming) this.#coming = null;
      this.#sounding = session;
      this.#listener.sounds(session);
    } else if (state === 'lost') this.#listener.stalls(session);
    else if (state === 'failed') {
      if (session === this.#coming) this.#lose(error);
      else this.#listener.failed(error);
    }
  }

  #lose(error: unknown): void {
    this.drop();
    this.#listener.failed(error);
  }
}
