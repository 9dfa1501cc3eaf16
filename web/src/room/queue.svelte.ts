// The queue of raised hands as a moderator has it, on whichever page; hands' time runs while it is looked at.
import { SvelteMap } from 'svelte/reactivity';
import type { Hand } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Clock, Stop } from '../lib/clock.ts';

export interface QueueSource {
  list(): Promise<Hand[]>;
  /** Says that the moderator has the queue before them. */
  attend(): Promise<unknown>;
}

/** Hands that go up together are asked for together. */
const together = 120;
/** The server takes a moderator's word for fifteen seconds. */
const attendEvery = 10_000;
/** Whose names are kept, so that it can be said whose hand it was. */
const mostNames = 500;

export class HandQueue {
  hands = $state.raw<Hand[]>([]);
  readonly #source: QueueSource;
  readonly #names = new SvelteMap<string, string>();
  readonly #clock: Clock;
  #stop: Stop | null = null;
  #asked = 0;

  constructor(source: QueueSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The queue may have changed: looks again in a moment. */
  refresh(): void {
    this.#stop ??= this.#clock.after(together, () => void this.#ask());
  }

  /** A moderator has the queue in view, until the function it gives is called. */
  look(): () => void {
    const say = (): void => {
      if (document.visibilityState === 'visible') this.#source.attend().catch(() => undefined);
    };
    say();
    this.refresh();
    const stop = this.#clock.every(attendEvery, say);
    document.addEventListener('visibilitychange', say);
    return () => {
      stop();
      document.removeEventListener('visibilitychange', say);
    };
  }

  /** The name of somebody whose hand is or was up; empty when it was never seen. */
  nameOf(user: string): string {
    return this.#names.get(user) ?? '';
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
    this.#asked++;
    this.hands = [];
  }

  async #ask(): Promise<void> {
    this.#stop = null;
    const round = ++this.#asked;
    const hands = await this.#source.list().catch(() => null);
    if (!hands || round !== this.#asked) return;
    this.hands = hands;
    for (const { person } of hands) if (person) this.#remember(person.userId, person.displayName);
  }

  #remember(user: string, name: string): void {
    this.#names.delete(user);
    this.#names.set(user, name);
    const oldest = this.#names.keys().next().value;
    if (this.#names.size > mostNames && oldest !== undefined) this.#names.delete(oldest);
  }
}
