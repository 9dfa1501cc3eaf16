// Hands a link on: by the system's share sheet where there is one, else by the clipboard.
import { toasts } from './toasts.svelte.ts';

export async function share(url: string, title: string): Promise<void> {
  if (navigator.share && matchMedia('(pointer: coarse)').matches) {
    try {
      await navigator.share({ url, title });
      return;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return;
    }
  }
  await copy(url);
}

/** Puts a text on the clipboard and says so; on addresses without TLS browsers have none, then the text is shown. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.say('share.copied');
  } catch {
    toasts.say('share.byHand', { text });
  }
}
