// Short messages at the bottom of the page, with an undo where there is one.
import { untrack } from 'svelte';
import type { Key, Words } from '../i18n/i18n.svelte.ts';
import type { Clock } from './clock.ts';
import { explain } from './refusal.ts';

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'alarm';
  undo: (() => unknown) | undefined;
  /** Whether what it says is still so; one that says nothing lasting has none. */
  holds: (() => boolean) | undefined;
}

const shownFor = 6_000;
const most = 3;

export class Toasts {
  readonly #words: Pick<Words, 't'>;
  readonly #clock: Clock;
  list = $state<Toast[]>([]);
  #hosts = $state.raw<symbol[]>([]);
  #next = 1;
  /** Those whose cause was seen to hold: the news of it may come after the call that made the message. */
  #held: readonly number[] = [];

  constructor(words: Pick<Words, 't'>, clock: Clock) {
    this.#words = words;
    this.#clock = clock;
  }

  /** Who shows them: the page or, above it, the sheet opened last, for nothing else can be seen, pressed or heard then. */
  get host(): symbol | undefined {
    return this.#hosts.at(-1);
  }

  /** A place that can show them, until the function it returns is called. */
  offer(host: symbol): () => void {
    this.#hosts = [...untrack(() => this.#hosts), host];
    return () => void (this.#hosts = this.#hosts.filter((one) => one !== host));
  }

  /** Shows a message for a while; one that `holds` goes earlier, once that has been true and is so no longer. */
  say(key: Key, values: Record<string, string | number> = {}, undo?: () => unknown, holds?: () => boolean): void {
    this.#add(this.#words.t(key, values), 'plain', undo, holds);
  }

  /** Drops what has outlived its cause; called whenever a cause may have changed. */
  settle(): void {
    for (const { id, holds } of this.list) {
      const held = this.#held.includes(id);
      if (holds?.() && !held) this.#held = [...this.#held, id];
      else if (held && !holds?.()) this.drop(id);
    }
  }

  refuse(error: unknown): void {
    this.#add(this.#words.t(explain(error)), 'alarm');
  }

  /** Runs a call and shows its refusal, if any; gives the answer, or undefined when refused. May be taken out and called alone. */
  readonly attempt = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch (error) {
      this.refuse(error);
      return undefined;
    }
  };

  drop(id: number): void {
    this.#held = this.#held.filter((held) => held !== id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #add(text: string, tone: Toast['tone'], undo?: Toast['undo'], holds?: Toast['holds']): void {
    const id = this.#next++;
    this.list = [...this.list.filter((toast) => toast.text !== text), { id, text, tone, undo, holds }].slice(-most);
    this.#clock.after(shownFor, () => this.drop(id));
  }
}
