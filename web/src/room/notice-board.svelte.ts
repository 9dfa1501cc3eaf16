// The one notice a person has before them: it goes when its cause passes, and does not come back with the page.
import type { Clock, Stop } from '../lib/clock.ts';
import type { Notice } from './notices.ts';
import type { RoomView } from './reducer.ts';

/** What only tells of something is read by then; what still matters stands as long as it holds. */
const shownFor = 9_000;

export class NoticeBoard {
  #notice = $state.raw<Notice | null>(null);
  #stop: Stop | null = null;
  readonly #me: string;
  readonly #clock: Clock;

  constructor(me: string, clock: Clock) {
    this.#me = me;
    this.#clock = clock;
  }

  /** What is to be read now. */
  get notice(): Notice | null {
    return this.#notice;
  }

  /** A new notice takes the place of the one before; without one, that one is looked at again. */
  put(notice: Notice | null, view: RoomView): void {
    if (!notice) {
      if (this.#notice && !this.#notice.holds(view, this.#me)) this.clear();
      return;
    }
    this.clear();
    this.#notice = notice;
    if (!notice.stands) this.#stop = this.#clock.after(shownFor, () => this.clear());
  }

  clear(): void {
    this.#stop?.();
    this.#stop = null;
    this.#notice = null;
  }
}
