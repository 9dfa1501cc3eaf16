// What this person chose by hand in rooms: in which language they hear or that nothing sounds, and which captions they
// read. A tab keeps it over reloads, back and forward; another tab has its own; it ends with the sign-in.
import type { Choice } from './hearing.ts';

/** Of one room. Nothing chosen: by itself. */
export interface Chosen {
  hears: Choice;
  /** The language of the captions, whether or not they are open; empty where nobody chose one. */
  reads: string;
  /** Whether the captions are open. */
  reading: boolean;
  /** Whether nothing is to sound: text only. */
  mute: boolean;
}

export interface ChoicesParts {
  /** Text that outlives a reload of this tab. */
  recall(): string | null;
  keep(text: string | null): void;
  /** Who uses this tab; empty for nobody. */
  me(): string;
}

/** The rooms of one evening; those before are forgotten. */
const most = 20;
const nothing: Chosen = { hears: 'auto', reads: '', reading: false, mute: false };

export class Choices {
  readonly #parts: ChoicesParts;

  constructor(parts: ChoicesParts) {
    this.#parts = parts;
  }

  of(room: string): Chosen {
    return new Map(this.#all()).get(room) ?? nothing;
  }

  set(room: string, change: Partial<Chosen>): void {
    const others = this.#all().filter(([one]) => one !== room);
    const rooms = [...others, [room, { ...this.of(room), ...change }]].slice(-most);
    this.#parts.keep(JSON.stringify({ who: this.#parts.me(), rooms }));
  }

  forget(): void {
    this.#parts.keep(null);
  }

  /** What this client wrote for whoever uses the tab now; anything else is nothing. */
  #all(): [string, Chosen][] {
    try {
      const found = JSON.parse(this.#parts.recall() ?? '{}') as { who?: unknown; rooms?: unknown };
      return found.who === this.#parts.me() && Array.isArray(found.rooms) ? found.rooms.filter(isKept) : [];
    } catch {
      return [];
    }
  }
}

function isKept(value: unknown): value is [string, Chosen] {
  if (!Array.isArray(value) || typeof value[0] !== 'string' || typeof value[1] !== 'object' || value[1] === null) return false;
  const { hears, reads, reading, mute } = value[1] as Record<string, unknown>;
  const named = (one: unknown): boolean => typeof one === 'string' && /^(auto|floor|[a-z]{2,3}|)$/.test(one);
  return named(hears) && hears !== '' && named(reads) && typeof reading === 'boolean' && typeof mute === 'boolean';
}
