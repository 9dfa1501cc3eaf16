// Places in the lines before full rooms: this tab keeps the tickets of its own, and the browser knows of all, so that a tab that is
// opened anew leads back to them. They are given up with the sign-in.
import type { Clock } from '../lib/clock.ts';
import type { Companion } from '../lib/session.svelte.ts';
import { within } from '../lib/within.ts';
import type { Choices } from './choices.ts';
import type { TicketBox } from './entry.svelte.ts';

/** One place, as this browser knows it. */
export interface KeptPlace {
  room: string;
  key: string;
  /** Empty where another tab has it, or had it before it was closed: who knocks without one gets the same place back. */
  ticket: string;
  /** Milliseconds since 1970 until which the server keeps it without a word. */
  until: number;
}

export interface KeptPlacesParts {
  /** Text that outlives a reload of this tab: all places in one. */
  recall(): string | null;
  keep(text: string | null): void;
  /** The same for what all tabs know: which places there are, and whose, without their tickets. */
  recallAll(): string | null;
  keepAll(text: string | null): void;
  /** Who uses this tab; empty for nobody. */
  me(): string;
  leaveLine(roomId: string, ticket: string): Promise<unknown>;
  clock: Clock;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** The server's word that a place is given up is not waited for longer than this: it ends by itself soon. */
const patience = 2_000;

export class KeptPlaces {
  #own = $state.raw<readonly KeptPlace[]>([]);
  #noted = $state.raw<readonly NotedPlace[]>([]);
  readonly #parts: KeptPlacesParts;
  #signIn = {};

  constructor(parts: KeptPlacesParts) {
    this.#parts = parts;
    this.#own = read(parts.recall(), isPlace);
    this.look();
  }

  /** Those of this tab and those that other tabs noted, the newest last; those whose time is over among them. */
  get all(): readonly KeptPlace[] {
    const me = this.#parts.me();
    const others = this.#noted.filter((one) => one.who === me && !this.#own.some(({ room }) => room === one.room));
    return [...others.map(({ room, key, until }) => ({ room, key, ticket: '', until })), ...this.#own];
  }

  /** Takes what other tabs noted meanwhile. */
  look(): void {
    this.#noted = read(this.#parts.recallAll(), isNoted);
  }

  /** Where the ticket for a room is kept. */
  box(room: string, key: string): TicketBox {
    const signIn = this.#signIn;
    const stands = (): boolean => {
      this.look();
      return this.all.some((one) => one.room === room && one.until > this.#parts.now());
    };
    return {
      get: () => this.#own.find((one) => one.room === room)?.ticket ?? '',
      put: (ticket, keptFor = 0) => {
        // An answer that comes after the person is gone: nobody waits at that place.
        if (ticket && signIn !== this.#signIn) return void this.#leave(room, ticket);
        const others = this.#own.filter((one) => one.room !== room);
        const until = this.#parts.now() + keptFor;
        this.#set(ticket ? [...others, { room, key, ticket, until }] : others);
        this.#note(room, ticket ? { room, key, until, who: this.#parts.me() } : null);
      },
      lose: () => this.#set(this.#own.filter((one) => one.room !== room)),
      get stands() {
        return stands();
      },
    };
  }

  /** Gives all of them up: whoever used this tab is about to be gone. */
  async giveUp(): Promise<void> {
    this.look();
    const { all } = this;
    this.#signIn = {};
    this.#set([]);
    for (const { room } of all) this.#note(room, null);
    await within(Promise.all(all.map((one) => this.#leave(one.room, one.ticket))), patience, undefined, this.#parts.clock);
  }

  async #leave(room: string, ticket: string): Promise<void> {
    // A place that cannot be given up now is kept for two minutes, and then by nobody.
    await this.#parts.leaveLine(room, ticket).catch(() => undefined);
  }

  #set(own: readonly KeptPlace[]): void {
    this.#own = own;
    this.#parts.keep(own.length ? JSON.stringify(own) : null);
  }

  /** For every tab: one place of this person, or that it is gone. What ended long ago goes with it. */
  #note(room: string, place: NotedPlace | null): void {
    this.look();
    const now = this.#parts.now();
    const me = this.#parts.me();
    const others = this.#noted.filter((one) => one.until > now && !(one.room === room && one.who === me));
    this.#noted = place ? [...others, place] : others;
    this.#parts.keepAll(this.#noted.length ? JSON.stringify(this.#noted) : null);
  }
}

/** What all tabs know of a place. */
interface NotedPlace {
  room: string;
  key: string;
  until: number;
  who: string;
}

/** What ends with a sign-in: the room that plays, unless its person thinks better of it, the places in lines, and what was chosen in rooms. */
export function together(player: Companion, places: KeptPlaces, choices: Pick<Choices, 'forget'>): Companion {
  return {
    leave: async () => {
      if (!(await player.leave())) return false;
      choices.forget();
      await places.giveUp();
      return true;
    },
    letGo: async () => {
      choices.forget();
      await Promise.all([player.letGo(), places.giveUp()]);
    },
  };
}

/** What this client wrote; anything else is nothing. */
function read<T>(text: string | null, fits: (value: unknown) => value is T): T[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(found) ? found.filter(fits) : [];
  } catch {
    return [];
  }
}

function has(value: unknown, texts: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const found = value as Record<string, unknown>;
  return texts.every((name) => typeof found[name] === 'string') && typeof found['until'] === 'number';
}

const isPlace = (value: unknown): value is KeptPlace => has(value, ['room', 'key', 'ticket']);
const isNoted = (value: unknown): value is NotedPlace => has(value, ['room', 'key', 'who']);
