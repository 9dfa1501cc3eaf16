// Places in the lines before full rooms that this tab keeps: it goes back to them, and gives them up with the sign-in.
import type { Clock } from '../lib/clock.ts';
import type { Companion } from '../lib/session.svelte.ts';
import { within } from '../lib/within.ts';
import type { TicketBox } from './entry.svelte.ts';

/** One place, as this tab knows it. */
export interface KeptPlace {
  room: string;
  key: string;
  ticket: string;
  /** Milliseconds since 1970 until which the server keeps it without a word. */
  until: number;
}

export interface KeptPlacesParts {
  /** Text that outlives a reload of this tab: all places in one. */
  recall(): string | null;
  keep(text: string | null): void;
  leaveLine(roomId: string, ticket: string): Promise<unknown>;
  clock: Clock;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The server's word that a place is given up is not waited for longer than this: it ends by itself soon. */
const patience = 2_000;

export class KeptPlaces {
  /** The newest last; those whose time is over among them. */
  all = $state.raw<readonly KeptPlace[]>([]);
  readonly #parts: KeptPlacesParts;
  #signIn = {};

  constructor(parts: KeptPlacesParts) {
    this.#parts = parts;
    this.all = read(parts.recall());
  }

  /** Where the ticket for a room is kept. */
  box(room: string, key: string): TicketBox {
    const signIn = this.#signIn;
    return {
      get: () => this.all.find((one) => one.room === room)?.ticket ?? '',
      put: (ticket, keptFor = 0) => {
        // An answer that comes after the person is gone: nobody waits at that place.
        if (ticket && signIn !== this.#signIn) return void this.#leave(room, ticket);
        const others = this.all.filter((one) => one.room !== room);
        this.#set(ticket ? [...others, { room, key, ticket, until: this.#parts.now() + keptFor }] : others);
      },
    };
  }

  /** Gives all of them up: whoever used this tab is about to be gone. */
  async giveUp(): Promise<void> {
    const { all } = this;
    this.#signIn = {};
    this.#set([]);
    await within(Promise.all(all.map((one) => this.#leave(one.room, one.ticket))), patience, undefined, this.#parts.clock);
  }

  async #leave(room: string, ticket: string): Promise<void> {
    // A place that cannot be given up now is kept for two minutes, and then by nobody.
    await this.#parts.leaveLine(room, ticket).catch(() => undefined);
  }

  #set(all: readonly KeptPlace[]): void {
    this.all = all;
    this.#parts.keep(all.length ? JSON.stringify(all) : null);
  }
}

/** What ends with a sign-in: the room that plays, unless its person thinks better of it, and the places in lines. */
export function together(player: Companion, places: KeptPlaces): Companion {
  return {
    leave: async () => {
      if (!(await player.leave())) return false;
      await places.giveUp();
      return true;
    },
    letGo: async () => {
      await Promise.all([player.letGo(), places.giveUp()]);
    },
  };
}

/** What this client wrote; anything else is nothing. */
function read(text: string | null): KeptPlace[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(found) ? found.filter(isPlace) : [];
  } catch {
    return [];
  }
}

function isPlace(value: unknown): value is KeptPlace {
  if (typeof value !== 'object' || value === null) return false;
  const { room, key, ticket, until } = value as Record<string, unknown>;
  return [room, key, ticket].every((each) => typeof each === 'string') && typeof until === 'number';
}
