// Whether this person hears rooms in few bits: as their browser says that it saves data, or as they chose by hand.

export interface ThriftParts {
  /** What was chosen in this browser; null for nothing. */
  recall(): string | null;
  keep(text: string): void;
  /** Whether the browser asks pages to save data. */
  asked(): boolean;
}

export class Thrift {
  #on = $state(false);
  readonly #keep: (text: string) => void;

  constructor({ recall, keep, asked }: ThriftParts) {
    const kept = recall();
    this.#on = kept === null ? asked() : kept === '1';
    this.#keep = keep;
  }

  get on(): boolean {
    return this.#on;
  }

  choose(on: boolean): void {
    this.#on = on;
    this.#keep(on ? '1' : '0');
  }
}

/** What the Network Information API says where a browser has it (https://wicg.github.io/savedata/). */
export function savesData(navigator: Navigator & { connection?: { saveData?: boolean } }): boolean {
  return navigator.connection?.saveData === true;
}
