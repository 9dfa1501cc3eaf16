// Getting into a room and out of it: the seat, knocking while there is none, and giving it up.
import { Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import type { GetMediaPermitResponse, JoinRoomResponse } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { MediaPermit, OwnSeat, Place } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { paces, type BackOff, type Waits } from '../lib/back-off.ts';
import type { Clock, Stop } from '../lib/clock.ts';
import { spanOf } from '../lib/format.ts';
import { remedyOf } from '../lib/reasons.ts';
import { passes, reasonOf, Refusal, retryAfter, valueOf } from '../lib/refusal.ts';
import type { Permit, SessionKind } from '../media/session.ts';
import type { PlaceLocks } from './place-locks.ts';

/** The calls about the person's seat in one room. */
export interface Seats {
  /** Knocks, with the ticket of a place in the line or without, and with the slip of who was sent away for now; over the web no relay is asked for. */
  join(ticket: string, slip: string, overWeb: boolean): Promise<JoinRoomResponse>;
  permit(kind: SessionKind, changing: boolean): Promise<GetMediaPermitResponse>;
  leave(epoch: bigint): Promise<unknown>;
  /** Gives the place in the line up. */
  leaveLine(ticket: string): Promise<unknown>;
}

/** Where the ticket of a place is kept, so that a page that is loaded again has it. */
export interface TicketBox {
  get(): string;
  /** Keeps it for so many milliseconds; an empty one is forgotten. */
  put(ticket: string, keptFor?: number): void;
  /** Another tab or device has the place: this tab's ticket for it is none any more. */
  lose(): void;
  /** Whether some tab of this browser had the place a moment ago and did not give it up. */
  readonly stands: boolean;
}

/** Who learns of the seat. */
export interface Seated {
  /** The seat was taken, or taken again. */
  seated(answer: JoinRoomResponse): void;
  /** The server said something of the seat. */
  adopt(seat: OwnSeat | undefined): void;
  /** The person is in: what a room is made of begins. */
  admitted(permit: MediaPermit | undefined): Promise<void>;
}

/** About ten minutes: whoever waits longer has gone, and a crowd of forgotten pages must not knock for ever. */
export const mostTries = 24;

/** Milliseconds between two knocks at least, whatever the server says. */
const least = 1_000;

/** True when the server may let the person in a little later, and few enough tries were made. */
export function worthAnotherTry(error: unknown, tries: number): boolean {
  return tries < mostTries && passes(error);
}

export class Entry {
  /** Why the room could not be entered. */
  refusal = $state.raw<unknown>(null);
  /** True while a refusal may pass and entering is tried again by itself. */
  waiting = $state(false);
  /** The place in the line before a full room; null for who does not wait in one. */
  place = $state.raw<Place | null>(null);
  /** The first place that was shown: how far the line has moved since. */
  firstPosition = $state(0);
  /** True while a place that went to another tab of this browser comes back by itself should that be closed. */
  mayReturn = $state(false);
  /** True once who waits has chosen to listen over the web, which needs no relay. */
  overWeb = $state(false);
  /** True once the person has left. */
  left = $state(false);
  readonly #seats: Seats;
  readonly #person: Seated;
  readonly #knock: BackOff;
  readonly #clock: Clock;
  readonly #box: TicketBox;
  readonly #locks: PlaceLocks;
  #held: Stop | null = null;
  #asked: Stop | null = null;
  #next: Stop | null = null;
  #joining: Promise<JoinRoomResponse | null> | null = null;
  #entering: Promise<void> | null = null;
  #inside = false;
  #mayWait = true;
  #slip = '';
  #givenUp = false;

  constructor(seats: Seats, person: Seated, waits: Waits, clock: Clock, box: TicketBox, locks: PlaceLocks) {
    this.#seats = seats;
    this.#person = person;
    this.#knock = waits(paces.door);
    this.#clock = clock;
    this.#box = box;
    this.#locks = locks;
  }

  /** Takes the seat and goes in; while that cannot be just now, it is tried again. */
  async enter(): Promise<void> {
    this.refusal = null;
    this.#knock.reset();
    await this.#try();
  }

  /** Who leaves the page before the door opens is not let in behind their back; who is in stays in. */
  giveUp(): void {
    if (this.#inside) return;
    this.#mayWait = false;
    this.#givenUp ||= this.waiting;
    this.waiting = false;
    this.#rest();
  }

  /** Gives the place in the line up, and knocks no more. */
  async leaveLine(): Promise<void> {
    const ticket = this.#box.get();
    this.#mayWait = false;
    this.#givenUp = true;
    this.waiting = false;
    this.#rest();
    this.#box.put('');
    this.#step(null);
    await this.#seats.leaveLine(ticket);
  }

  /** Knocks now instead of at its time: the network is back, or the page is looked at again. */
  hurry(): void {
    if (this.place && !this.left) void this.#try();
  }

  /** Comes in without waiting for a relay: the room is heard over the web until one has room. */
  async listenOverWeb(): Promise<void> {
    if (!this.place || this.left) return;
    this.overWeb = true;
    // A knock that is under way does not say so yet.
    await this.#entering;
    if (this.place) await this.#try();
  }

  #rest(): void {
    this.#knock.stop();
    this.#next?.();
    this.#next = null;
    this.#asked?.();
    this.#asked = null;
    this.mayReturn = false;
  }

  #try(): Promise<void> {
    this.#rest();
    this.#entering ??= this.#once().finally(() => (this.#entering = null));
    return this.#entering;
  }

  async #once(): Promise<void> {
    let joined: JoinRoomResponse | null;
    try {
      joined = await this.#join();
    } catch (error) {
      return this.#turnedAway(error);
    }
    if (!joined) return;
    this.refusal = null;
    this.#knock.reset();
    if (joined.place) return this.#stand(joined.place);
    this.waiting = false;
    this.#step(null);
    try {
      await this.#person.admitted(joined.permit);
    } catch (error) {
      this.refusal = error;
    }
  }

  /** In the line: its place is shown, and it is knocked again when the server said, or at once where a seat is held. */
  #stand(place: Place): void {
    this.#box.put(place.ticket, spanOf(place.keptFor));
    this.#step(place);
    this.firstPosition = Math.max(this.firstPosition, place.position);
    this.waiting = this.#mayWait;
    if (!this.waiting) return;
    const wait = place.offered ? 0 : Math.max(least, spanOf(place.knockAfter));
    this.#next = this.#clock.after(wait, () => void this.#try());
  }

  /** What is wrong stays on show while it is tried again. */
  #turnedAway(error: unknown): void {
    const reason = reasonOf(error);
    // Whoever was sent away for now counts from their first try.
    this.#slip = valueOf(error, 'slip') || this.#slip;
    if (reason === 'TICKET_INVALID' && this.#box.get()) {
      // A ticket from before, or of somebody else who used this browser: whoever knocks without one is a newcomer.
      this.#box.put('');
      this.#next = this.#clock.after(0, () => void this.#try());
      return;
    }
    this.refusal = error;
    this.waiting = this.#mayWait && worthAnotherTry(error, this.#knock.tries);
    if (this.waiting && reason === 'CROWDED') {
      // The server has spread these times itself: whoever comes before theirs is sent away again.
      this.#next = this.#clock.after(Math.max(least, retryAfter(error)), () => void this.#try());
      return;
    }
    if (this.waiting) return void this.#knock.again(() => void this.#try());
    // Whoever is not tried for any more waits in no line: why is said in place of the ticket.
    this.#step(null);
    if (reason === 'TICKET_ELSEWHERE') return this.#lose();
    if (!passes(error)) this.#box.put('');
  }

  /** The place went to another tab or device. One of this browser that is closed leaves it behind: then it is taken back. */
  #lose(): void {
    this.#box.lose();
    if (!this.#mayWait) return;
    const found = (): void => void (this.mayReturn = true);
    this.#asked = this.#locks.whenFree(found, () => {
      this.#rest();
      if (this.#box.stands) void this.#try();
    });
  }

  /** Stands at a place, or at none; other tabs of this browser can tell. */
  #step(place: Place | null): void {
    this.place = place;
    if (place) this.#held ??= this.#locks.hold();
    else this.#held?.();
    if (!place) this.#held = null;
  }

  #join(): Promise<JoinRoomResponse | null> {
    this.#joining ??= this.#sit().finally(() => (this.#joining = null));
    return this.#joining;
  }

  /** A seat that comes after the page was left is given back: null. */
  async #sit(): Promise<JoinRoomResponse | null> {
    const answer = await this.#seats.join(this.#box.get(), this.#slip, this.overWeb);
    this.#slip = '';
    if (answer.place) return answer;
    this.#box.put('');
    if (this.#givenUp || this.left) {
      await this.#seats.leave(answer.seat?.epoch ?? 0n).catch(() => undefined);
      return null;
    }
    this.#inside = true;
    this.overWeb = false;
    this.#person.seated(answer);
    return answer;
  }

  /** A permit for a session; where the seat is gone meanwhile it is taken again. Throws when refused. */
  async permit(kind: SessionKind, changing = false): Promise<Permit> {
    try {
      const { permit, seat } = await this.#seats.permit(kind, changing);
      this.#person.adopt(seat);
      return permit as MediaPermit;
    } catch (error) {
      if (remedyOf(reasonOf(error)) !== Remedy.NEW_SEAT) throw error;
      const joined = await this.#join();
      if (!joined) throw new Refusal(409, 'NOT_IN_ROOM');
      // The seat went to somebody else meanwhile: there is one again when the line has moved.
      if (joined.place) throw new Refusal(503, 'ROOM_FULL');
      return joined.permit as MediaPermit;
    }
  }

  /** Until a seat that is being taken is there, or refused. */
  async settled(): Promise<void> {
    await this.#joining?.catch(() => undefined);
  }

  /** Nobody comes in any more: neither by a try that waits nor by one under way. */
  close(): void {
    this.left = true;
    this.giveUp();
  }

  /** Gives a seat up. */
  async leave(epoch: bigint): Promise<void> {
    await this.#seats.leave(epoch);
  }
}
