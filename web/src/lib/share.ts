// Hands a link on: by the system's share sheet where there is one, else by the clipboard.
import type { Toasts } from './toasts.svelte.ts';

export class Sharing {
  readonly #toasts: Pick<Toasts, 'say'>;

  constructor(toasts: Pick<Toasts, 'say'>) {
    this.#toasts = toasts;
  }

  /** May be taken out and called alone, as `copy` may. */
  readonly share = async (url: string, title: string): Promise<void> => {
    if (navigator.share && matchMedia('(pointer: coarse)').matches) {
      try {
        await navigator.share({ url, title });
        return;
      } catch (error) {
        if (error instanceof DOMException && error.name === 'AbortError') return;
      }
    }
    await this.copy(url);
  };

  /** Puts a text on the clipboard and says so; on addresses without TLS browsers have none, then the text is shown. */
  readonly copy = async (text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      this.#toasts.say('share.copied');
    } catch {
      this.#toasts.say('share.byHand', { text });
    }
  };
}
