// Where a live stream sounds: a Media Source, a managed one on iPhones, or where there is neither an element that fetches by itself.
import type { Clock } from '../lib/clock.ts';
import { forgettable, LiveEdge, type Stretch } from './live-edge.ts';

export type LiveEnding = 'webm' | 'mp4';

/** The part of a sink that a player uses. */
export interface Sink {
  readonly ending: LiveEnding;
  /** Whether it takes bytes; if not it fetches from an address by itself. */
  readonly fed: boolean;
  /** Another stream begins: what comes next is its head. */
  begin(): void;
  /** Takes bytes; resolves when they may be played. Throws for what is no sound. */
  append(bytes: Uint8Array): Promise<void>;
  /** Fetches by itself from an address. */
  load(address: string): void;
  /** Whether there is enough to begin with. */
  readonly ready: boolean;
  /** Seconds between what is heard and what came last. */
  readonly ahead: number;
  /** Starts the sound; false when the browser wants a tap first. */
  play(): Promise<boolean>;
  silence(silent: boolean): void;
  /** How loud, 0 to 1. */
  loud(level: number): void;
  close(): void;
}

type SourceKind = typeof MediaSource;

/** What a browser has of this; tests bring their own. */
export interface Abilities {
  MediaSource?: SourceKind | undefined;
  ManagedMediaSource?: SourceKind | undefined;
}

const types: [LiveEnding, string][] = [
  ['webm', 'audio/webm; codecs="opus"'],
  ['mp4', 'audio/mp4; codecs="opus"'],
];

/** Which kind of source takes which container here; null where none does. */
export function kindOf({ MediaSource, ManagedMediaSource }: Abilities): { make: SourceKind; managed: boolean; ending: LiveEnding; type: string } | null {
  for (const [make, managed] of [[MediaSource, false], [ManagedMediaSource, true]] as const) {
    const fitting = make && types.find(([, type]) => make.isTypeSupported(type));
    if (fitting) return { make, managed, ending: fitting[0], type: fitting[1] };
  }
  return null;
}

/** Whether sound plays, for one who asks; false only when the browser wants a tap. */
async function plays(element: HTMLMediaElement): Promise<boolean> {
  try {
    await element.play();
    return true;
  } catch (error) {
    return !(error instanceof DOMException && error.name === 'NotAllowedError');
  }
}

/** The best sink that this browser has; `more` seconds are to be ahead where pieces are longer. */
export function openSink(clock: Clock, more = 0, abilities: Abilities = globalThis as Abilities): Sink {
  const kind = kindOf(abilities);
  return kind ? new SourceSink(clock, more, kind) : new PlainSink();
}

class SourceSink implements Sink {
  readonly fed = true;
  readonly ending: LiveEnding;
  readonly #clock: Clock;
  readonly #element = new Audio();
  readonly #address: string;
  readonly #opened: Promise<SourceBuffer>;
  readonly #edge: LiveEdge;
  #buffer: SourceBuffer | null = null;
  #fresh = true;
  #begun = false;

  constructor(clock: Clock, more: number, { make, managed, ending, type }: NonNullable<ReturnType<typeof kindOf>>) {
    this.#clock = clock;
    this.#edge = new LiveEdge(more);
    this.ending = ending;
    const source = new make();
    // A managed source is refused to elements that may play elsewhere.
    if (managed) this.#element.disableRemotePlayback = true;
    this.#opened = new Promise((resolve, reject) => {
      source.addEventListener('sourceopen', () => {
        try {
          resolve(source.addSourceBuffer(type));
        } catch (error) {
          reject(error as Error);
        }
      }, { once: true });
    });
    this.#element.addEventListener('waiting', () => this.#begun && this.#edge.stalled(clock.now()));
    this.#address = URL.createObjectURL(source);
    this.#element.src = this.#address;
  }

  get ready(): boolean {
    return this.#begun;
  }

  get ahead(): number {
    const last = this.#ranges().at(-1);
    return last ? Math.max(0, last.end - this.#element.currentTime) : 0;
  }

  begin(): void {
    this.#fresh = true;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#buffer ??= await this.#opened;
    const buffer = this.#buffer;
    if (this.#fresh) {
      // The line of another gateway may lie elsewhere: nothing of the one before stays.
      if (buffer.buffered.length > 0) await done(buffer, () => buffer.remove(0, Infinity));
      this.#fresh = this.#begun = false;
    }
    await done(buffer, () => buffer.appendBuffer(bytes as BufferSource));
    this.#tend();
    const until = forgettable(this.#ranges(), this.#element.currentTime);
    if (until > 0) await done(buffer, () => buffer.remove(0, until));
  }

  #tend(): void {
    const element = this.#element;
    const ranges = this.#ranges();
    if (!this.#begun) {
      const last = ranges.at(-1);
      if (!last || !this.#edge.mayBegin(ranges)) return;
      this.#begun = true;
      element.currentTime = Math.max(last.start, last.end - this.#edge.wanted);
      return;
    }
    const { jump, rate } = this.#edge.follow(ranges, element.currentTime, this.#clock.now());
    if (jump !== null) element.currentTime = jump;
    if (element.playbackRate !== rate) element.playbackRate = rate;
  }

  #ranges(): Stretch[] {
    const buffered = this.#buffer?.buffered;
    return Array.from({ length: buffered?.length ?? 0 }, (_, index) => ({ start: buffered?.start(index) ?? 0, end: buffered?.end(index) ?? 0 }));
  }

  load(): void {
    throw new Error('this sink takes bytes');
  }

  play(): Promise<boolean> {
    return plays(this.#element);
  }

  silence(silent: boolean): void {
    this.#element.muted = silent;
  }

  loud(level: number): void {
    this.#element.volume = level;
  }

  close(): void {
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
    URL.revokeObjectURL(this.#address);
  }
}

/** Does something with a buffer and waits for its end. */
function done(buffer: SourceBuffer, act: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const ends = new AbortController();
    const over = (settle: () => void): void => {
      ends.abort();
      settle();
    };
    buffer.addEventListener('updateend', () => over(resolve), { signal: ends.signal });
    buffer.addEventListener('error', () => over(() => reject(new Error('no sound'))), { signal: ends.signal });
    try {
      act();
    } catch (error) {
      over(() => reject(error as Error));
    }
  });
}

/** An element that fetches by itself: further behind, for it gathers as it likes. */
class PlainSink implements Sink {
  readonly fed = false;
  readonly #element = new Audio();
  readonly ending: LiveEnding = this.#element.canPlayType(types[0]?.[1] ?? '') ? 'webm' : 'mp4';

  get ready(): boolean {
    return this.#element.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  get ahead(): number {
    const { buffered, currentTime } = this.#element;
    return buffered.length > 0 ? Math.max(0, buffered.end(buffered.length - 1) - currentTime) : 0;
  }

  begin(): void {
    // Each address is a stream of its own.
  }

  append(): Promise<void> {
    return Promise.reject(new Error('this sink fetches by itself'));
  }

  load(address: string): void {
    this.#element.src = address;
  }

  play(): Promise<boolean> {
    return plays(this.#element);
  }

  silence(silent: boolean): void {
    this.#element.muted = silent;
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
