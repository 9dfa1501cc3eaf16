// How an interpreter has set the desk: volume and tone of each source, and whether single keys act. Kept by the browser.
import { flat, type Source, type Tuning } from '../media/ear/ear.ts';
import type { StageEar } from '../media/stage-ear.ts';

export const sources: readonly Source[] = ['floor', 'relay', 'partner'];

export interface DeskParts {
  ear: Pick<StageEar, 'tune'>;
  recall(): string | null;
  keep(text: string): void;
}

export class Desk {
  tunings = $state.raw<Readonly<Record<Source, Tuning>>>({ floor: flat, relay: flat, partner: flat });
  /** Single keys act: whoever needs them for a screen reader or an input method switches them off. */
  keys = $state(true);
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    const { keys, ...kept } = read(parts.recall());
    this.keys = keys !== false;
    for (const source of sources) this.#tune(source, kept[source] ?? flat);
  }

  set(source: Source, change: Partial<Tuning>): void {
    this.#tune(source, { ...this.tunings[source], ...change });
    this.#keep();
  }

  switchKeys(): void {
    this.keys = !this.keys;
    this.#keep();
  }

  #tune(source: Source, tuning: Tuning): void {
    this.tunings = { ...this.tunings, [source]: tuning };
    this.#parts.ear.tune(source, tuning);
  }

  #keep(): void {
    this.#parts.keep(JSON.stringify({ ...this.tunings, keys: this.keys }));
  }
}

/** What this client wrote, within its bounds; anything else is nothing. */
function read(text: string | null): Partial<Record<Source, Tuning>> & { keys?: boolean } {
  try {
    const found = JSON.parse(text ?? '{}') as Record<string, unknown>;
    const kept: Partial<Record<Source, Tuning>> & { keys?: boolean } = { keys: found['keys'] !== false };
    for (const source of sources) {
      const tuning = tuningIn(found[source]);
      if (tuning) kept[source] = tuning;
    }
    return kept;
  } catch {
    return {};
  }
}

function tuningIn(value: unknown): Tuning | null {
  if (typeof value !== 'object' || value === null) return null;
  const { volume, bass, treble } = value as Record<string, unknown>;
  const within = (one: unknown, least: number, most: number): one is number => typeof one === 'number' && one >= least && one <= most;
  return within(volume, 0, 1.5) && within(bass, -12, 12) && within(treble, -12, 12) ? { volume, bass, treble } : null;
}
