// The hands of a room as its events tell them: the caller's own, and for who moderates the whole queue.
import type { RoomEvent } from './gen/majlis/room_directory/v1/room_events_pb.js';
import type { Hand, OwnSeat } from './gen/majlis/room_directory/v1/room_pb.js';

/** State that events are folded into; nothing has to be asked for again. */
export class Hands {
  /** What a moderator's stream tells, first raised first; empty for everybody else. */
  queue: readonly Hand[] = [];
  /** The caller's hand; undefined while it is down. */
  own: Hand | undefined;
  /** The caller's place in the queue, from 1; 0 while the hand is down. */
  place = 0;
  #revision = -1n;

  /** Takes the caller's place from an answer such as RaiseHand's, unless events have told a newer one. */
  adopt(seat: OwnSeat): void {
    this.#put(seat.hand, seat.handPosition, seat.queueRevision);
  }

  /** Takes an event of the room; true when it was about hands. */
  take({ event, rewound }: RoomEvent): boolean {
    switch (event.case) {
      case 'handQueue':
        this.queue = event.value.hands;
        return true;
      case 'handRaised':
        if (event.value.hand) this.#raised(event.value.hand, event.value.position);
        return true;
      case 'handLowered':
        this.queue = event.value.userId ? this.#without(event.value.userId) : [];
        return true;
      case 'ownHand':
        if (rewound) this.#revision = -1n;
        this.#put(event.value.hand, event.value.position, event.value.queueRevision);
        return true;
      default:
        return false;
    }
  }

  #put(hand: Hand | undefined, place: number, revision: bigint): void {
    if (revision < this.#revision) return;
    this.own = hand;
    this.place = place;
    this.#revision = revision;
  }

  #raised(hand: Hand, position: number): void {
    const others = this.#without(hand.person?.userId ?? '');
    const place = Math.max(0, position - 1);
    this.queue = [...others.slice(0, place), hand, ...others.slice(place)];
  }

  #without(user: string): Hand[] {
    return this.queue.filter((hand) => hand.person?.userId !== user);
  }
}
