// Short messages at the bottom of the page, with an undo where there is one.
import { untrack } from 'svelte';
import { t, type Key } from '../i18n/i18n.svelte.ts';
import { explain } from './refusal.ts';

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'alarm';
  undo: (() => unknown) | undefined;
}

const shownFor = 6_000;
const most = 3;

class Toasts {
  list = $state<Toast[]>([]);
  #hosts = $state.raw<symbol[]>([]);
  #next = 1;

  /** Who shows them: the page or, above it, the sheet opened last, for nothing else can be seen, pressed or heard then. */
  get host(): symbol | undefined {
    return this.#hosts.at(-1);
  }

  /** A place that can show them, until the function it returns is called. */
  offer(host: symbol): () => void {
    this.#hosts = [...untrack(() => this.#hosts), host];
    return () => void (this.#hosts = this.#hosts.filter((one) => one !== host));
  }

  say(key: Key, values: Record<string, string | number> = {}, undo?: () => unknown): void {
    this.#add(t(key, values), 'plain', undo);
  }

  refuse(error: unknown): void {
    this.#add(t(explain(error)), 'alarm', undefined);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #add(text: string, tone: Toast['tone'], undo: Toast['undo']): void {
    const id = this.#next++;
    this.list = [...this.list.filter((toast) => toast.text !== text), { id, text, tone, undo }].slice(-most);
    setTimeout(() => this.drop(id), shownFor);
  }
}

export const toasts = new Toasts();

/** Runs a call and shows its refusal, if any; gives the answer, or undefined when refused. */
export async function attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    toasts.refuse(error);
    return undefined;
  }
}
