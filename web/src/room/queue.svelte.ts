// The queue of raised hands as a moderator's stream tells it, on whichever page; hands' time runs while it is looked at.
import { SvelteMap } from 'svelte/reactivity';
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import type { Hand } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Clock } from '../lib/clock.ts';

/** The server takes a moderator's word for fifteen seconds. */
const attendEvery = 10_000;
/** Whose names are kept, so that it can be said whose hand it was. */
const mostNames = 500;

export class HandQueue {
  hands = $state.raw<Hand[]>([]);
  readonly #attend: () => Promise<unknown>;
  readonly #names = new SvelteMap<string, string>();
  readonly #clock: Clock;

  /** `attend` says that the moderator has the queue before them. */
  constructor(attend: () => Promise<unknown>, clock: Clock) {
    this.#attend = attend;
    this.#clock = clock;
  }

  /** Takes what an event tells of the queue; true when a hand went up that was not up before. */
  take({ event: fact }: RoomEvent): boolean {
    switch (fact.case) {
      case 'handQueue':
        this.hands = fact.value.hands;
        this.hands.forEach((hand) => this.#remember(hand));
        return false;
      case 'handRaised':
        return fact.value.hand !== undefined && this.#raised(fact.value.hand, fact.value.position);
      case 'handLowered': {
        const { userId } = fact.value;
        this.hands = userId ? this.hands.filter((hand) => hand.person?.userId !== userId) : [];
        return false;
      }
      default:
        return false;
    }
  }

  /** A moderator has the queue in view, until the function it gives is called. */
  look(): () => void {
    const say = (): void => {
      if (document.visibilityState === 'visible') this.#attend().catch(() => undefined);
    };
    say();
    const stop = this.#clock.every(attendEvery, say);
    document.addEventListener('visibilitychange', say);
    return () => {
      stop();
      document.removeEventListener('visibilitychange', say);
    };
  }

  /** The name of somebody whose hand is or was up; empty when it was never seen. */
  nameOf(user: string): string {
    return this.#names.get(user) ?? '';
  }

  /** Who no longer moderates has no queue. */
  clear(): void {
    if (this.hands.length > 0) this.hands = [];
  }

  #raised(hand: Hand, position: number): boolean {
    const others = this.hands.filter((each) => each.person?.userId !== hand.person?.userId);
    const isNew = others.length === this.hands.length;
    const place = Math.max(0, position - 1);
    this.hands = [...others.slice(0, place), hand, ...others.slice(place)];
    this.#remember(hand);
    return isNew;
  }

  #remember({ person }: Hand): void {
    if (!person) return;
    this.#names.delete(person.userId);
    this.#names.set(person.userId, person.displayName);
    const oldest = this.#names.keys().next().value;
    if (this.#names.size > mostNames && oldest !== undefined) this.#names.delete(oldest);
  }
}
