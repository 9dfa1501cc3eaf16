// The sound by an element that fetches by itself.
import type { LiveSound, SoundState } from './listener.svelte.ts';
import { Refused } from './state.ts';

export class PlainSound implements LiveSound {
  readonly #element = new Audio();
  readonly #path: (ending: string) => string;

  constructor(path: (ending: string) => string, tell: (state: SoundState) => void) {
    this.#path = path;
    const element = this.#element;
    element.preload = 'none';
    element.addEventListener('playing', () => tell('connected'));
    element.addEventListener('waiting', () => tell('lost'));
    for (const name of ['error', 'ended'] as const) element.addEventListener(name, () => element.getAttribute('src') && tell('failed'));
    element.src = path(element.canPlayType('audio/webm; codecs="opus"') ? 'webm' : 'mp4');
  }

  async start(): Promise<void> {
    const answer = await fetch(this.#path('webm'), { method: 'HEAD', credentials: 'omit', cache: 'no-store' });
    if (!answer.ok) throw new Refused(answer.status === 503 ? 'WEB_FULL' : answer.status === 403 ? 'WEB_CLOSED' : '', Number(answer.headers.get('retry-after')));
  }

  async play(): Promise<boolean> {
    try {
      await this.#element.play();
      return true;
    } catch (error) {
      return !(error instanceof DOMException && error.name === 'NotAllowedError');
    }
  }

  loud(level: number): void {
    this.#element.volume = level;
  }

  close(): void {
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
  }
}
