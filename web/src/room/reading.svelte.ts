// How this person reads captions: how large, where, and whether a screen reader says them. Kept by the browser.

export type CaptionSize = 'small' | 'middle' | 'large';

const sizes: readonly CaptionSize[] = ['small', 'middle', 'large'];

export interface ReadingParts {
  recall(): string | null;
  keep(text: string): void;
}

export class Reading {
  size = $state<CaptionSize>('small');
  /** At the bottom, over what else there is. */
  below = $state(false);
  /** New captions are said by a screen reader. */
  aloud = $state(false);
  readonly #parts: ReadingParts;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
    const [size, below, aloud] = (parts.recall() ?? '').split(' ');
    this.size = sizes.find((one) => one === size) ?? 'small';
    this.below = below === 'below';
    this.aloud = aloud === 'aloud';
  }

  /** The next size, from the largest back to the smallest. */
  grow(): void {
    this.size = sizes[(sizes.indexOf(this.size) + 1) % sizes.length] ?? 'small';
    this.#keep();
  }

  switchPlace(): void {
    this.below = !this.below;
    this.#keep();
  }

  switchAloud(): void {
    this.aloud = !this.aloud;
    this.#keep();
  }

  #keep(): void {
    this.#parts.keep([this.size, this.below ? 'below' : 'above', this.aloud ? 'aloud' : 'silent'].join(' '));
  }
}
