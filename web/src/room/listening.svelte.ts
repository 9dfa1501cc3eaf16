// In which language this person hears a room: by themselves, or as they chose by hand; what is asked for with each permit.
import { wish, type Choice, type Wish } from './hearing.ts';

/** Where a choice by hand is kept, so that a page that is loaded again has it. */
export interface ChoiceBox {
  recall(): Choice;
  keep(choice: Choice): void;
}

export class Listening {
  #choice = $state<Choice>('auto');
  readonly #understands: () => string[];
  readonly #box: ChoiceBox;
  readonly #thrift: () => boolean;

  /** `understands` gives the languages the person understands, the best first; `thrift`: whether they hear in few bits. */
  constructor(understands: () => string[], box: ChoiceBox, thrift: () => boolean = () => false) {
    this.#thrift = thrift;
    this.#understands = understands;
    this.#box = box;
    this.#choice = box.recall();
  }

  /** Automatic until somebody chooses. */
  get choice(): Choice {
    return this.#choice;
  }

  get understands(): string[] {
    return this.#understands();
  }

  get wish(): Wish {
    return wish(this.choice, this.understands, this.#thrift());
  }

  choose(choice: Choice): void {
    this.#choice = choice;
    this.#box.keep(choice);
  }

  /** A booth was closed: whoever chose it by hand hears by themselves again. True when that was so. */
  closed(language: string): boolean {
    if (this.choice !== language || language === 'auto' || language === 'floor') return false;
    this.choose('auto');
    return true;
  }
}
