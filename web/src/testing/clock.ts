// Time and network that tests move themselves.
import type { Clock, Network, Stop } from '../lib/clock.ts';

interface Timer {
  at: number;
  every: number;
  act: () => void;
}

/** Lets everything that was promised come true, as far as it needs no time: a call to a server that tests play takes some turns. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock implements Clock {
  #now = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  after(span: number, act: () => void): Stop {
    return this.#set({ at: this.#now + span, every: 0, act });
  }

  every(span: number, act: () => void): Stop {
    return this.#set({ at: this.#now + span, every: span, act });
  }

  /** So many milliseconds go by; whatever is due in them happens, in its order. */
  async pass(span: number): Promise<void> {
    const end = this.#now + span;
    await settled();
    for (let next = this.#due(end); next; next = this.#due(end)) {
      this.#now = next.at;
      if (next.every > 0) next.at += next.every;
      else this.#timers = this.#timers.filter((one) => one !== next);
      next.act();
      await settled();
    }
    this.#now = end;
  }

  #set(timer: Timer): Stop {
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((one) => one !== timer));
  }

  #due(end: number): Timer | undefined {
    return this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

export class FakeNetwork implements Network {
  readonly #waiting = new Set<() => void>();
  readonly #fearing = new Set<() => void>();

  whenBack(act: () => void): Stop {
    this.#waiting.add(act);
    return () => this.#waiting.delete(act);
  }

  whenGone(act: () => void): Stop {
    this.#fearing.add(act);
    return () => this.#fearing.delete(act);
  }

  goes(): void {
    for (const act of [...this.#fearing]) act();
  }

  comesBack(): void {
    for (const act of [...this.#waiting]) act();
  }
}
