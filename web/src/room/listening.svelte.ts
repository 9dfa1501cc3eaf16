// In which language this person hears a room: by themselves, or as they chose by hand; what is asked for with each permit.
import { wish, type Choice, type Wish } from './hearing.ts';

export class Listening {
  /** Automatic until somebody chooses, for as long as they are in the room. */
  choice = $state<Choice>('auto');
  readonly #understands: () => string[];

  /** `understands` gives the languages the person understands, the best first. */
  constructor(understands: () => string[]) {
    this.#understands = understands;
  }

  get understands(): string[] {
    return this.#understands();
  }

  get wish(): Wish {
    return wish(this.choice, this.understands);
  }

  /** A booth was closed: whoever chose it by hand hears by themselves again. True when that was so. */
  closed(language: string): boolean {
    if (this.choice !== language) return false;
    this.choice = 'auto';
    return true;
  }
}
