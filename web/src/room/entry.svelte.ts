// Getting into a room and out of it: the seat, knocking while there is none, and giving it up.
import { Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import type { GetMediaPermitResponse, JoinRoomResponse } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { MediaPermit, OwnSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { paces, type BackOff, type Waits } from '../lib/back-off.ts';
import { remedyOf } from '../lib/reasons.ts';
import { passes, reasonOf, Refusal } from '../lib/refusal.ts';
import type { Permit, SessionKind } from '../media/session.ts';

/** The calls about the person's seat in one room. */
export interface Seats {
  join(): Promise<JoinRoomResponse>;
  permit(kind: SessionKind): Promise<GetMediaPermitResponse>;
  leave(epoch: bigint): Promise<unknown>;
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

/** True when the server may let the person in a little later, and few enough tries were made. */
export function worthAnotherTry(error: unknown, tries: number): boolean {
  return tries < mostTries && passes(error);
}

export class Entry {
  /** Why the room could not be entered. */
  refusal = $state.raw<unknown>(null);
  /** True while a refusal may pass and entering is tried again by itself. */
  waiting = $state(false);
  /** True once the person has left. */
  left = $state(false);
  readonly #seats: Seats;
  readonly #person: Seated;
  readonly #knock: BackOff;
  #joining: Promise<JoinRoomResponse | null> | null = null;
  #entering: Promise<void> | null = null;
  #inside = false;
  #mayWait = true;
  #givenUp = false;

  constructor(seats: Seats, person: Seated, waits: Waits) {
    this.#seats = seats;
    this.#person = person;
    this.#knock = waits(paces.door);
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
    this.#knock.stop();
  }

  #try(): Promise<void> {
    this.#knock.stop();
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
    this.waiting = false;
    try {
      await this.#person.admitted(joined.permit);
    } catch (error) {
      this.refusal = error;
    }
  }

  /** What is wrong stays on show while it is tried again. */
  #turnedAway(error: unknown): void {
    this.refusal = error;
    this.waiting = this.#mayWait && worthAnotherTry(error, this.#knock.tries);
    if (this.waiting) this.#knock.again(() => void this.#try());
  }

  #join(): Promise<JoinRoomResponse | null> {
    this.#joining ??= this.#sit().finally(() => (this.#joining = null));
    return this.#joining;
  }

  /** A seat that comes after the page was left is given back: null. */
  async #sit(): Promise<JoinRoomResponse | null> {
    const answer = await this.#seats.join();
    if (this.#givenUp || this.left) {
      await this.#seats.leave(answer.seat?.epoch ?? 0n).catch(() => undefined);
      return null;
    }
    this.#inside = true;
    this.#person.seated(answer);
    return answer;
  }

  /** A permit for a session; where the seat is gone meanwhile it is taken again. Throws when refused. */
  async permit(kind: SessionKind): Promise<Permit> {
    try {
      const { permit, seat } = await this.#seats.permit(kind);
      this.#person.adopt(seat);
      return permit as MediaPermit;
    } catch (error) {
      if (remedyOf(reasonOf(error)) !== Remedy.NEW_SEAT) throw error;
      const joined = await this.#join();
      if (!joined) throw new Refusal(409, 'NOT_IN_ROOM');
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
