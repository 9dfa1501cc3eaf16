// Captions of one language as this page shows them: those of the last minutes, then each as it is written.
import type { Caption } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import type { WatchCaptionsResponse } from '../gen/majlis/gateway/v1/caption_stream_service_pb.ts';
import type { Clock, Stop } from '../lib/clock.ts';
import { milliseconds } from '../lib/format.ts';
import type { Chosen } from './choices.ts';

/** A stream of captions that goes on until it is closed. */
export interface CaptionStream {
  close(): void;
}

export interface CaptionListener {
  told(answer: WatchCaptionsResponse): void;
  connected(up: boolean): void;
}

/** So many are kept for who scrolls back. */
const most = 300;
/** What its writer leaves unfinished for so long is over. */
const abandoned = 10_000;

const nameOf = ({ writerId, captionId }: Caption): string => `${writerId}/${captionId}`;

export class Captions {
  /** Those that began first first. */
  all = $state.raw<readonly Caption[]>([]);
  /** The language that is watched; empty for none. */
  language = $state('');
  /** True while the stream is away. */
  away = $state(false);
  readonly #open: (language: string, listener: CaptionListener) => CaptionStream;
  readonly #clock: Clock;
  readonly #keep: (chosen: Partial<Chosen>) => void;
  #ending: Record<string, Stop> = {};
  #stream: CaptionStream | null = null;

  /** `keep` hears what the reader chose. */
  constructor(open: (language: string, listener: CaptionListener) => CaptionStream, clock: Clock, keep: (chosen: Partial<Chosen>) => void) {
    this.#open = open;
    this.#clock = clock;
    this.#keep = keep;
  }

  /** Opens them in a language that was found for the reader. */
  show(language: string): void {
    this.#keep({ reading: true });
    this.#watch(language);
  }

  /** Another language, by the reader's hand. */
  choose(language: string): void {
    this.#keep({ reads: language, reading: true });
    this.#watch(language);
  }

  /** The reader has read enough. */
  hide(): void {
    this.#keep({ reading: false });
    this.close();
  }

  #watch(language: string): void {
    if (language === this.language) return;
    this.close();
    this.language = language;
    this.#stream = this.#open(language, {
      told: ({ captions }) => captions.forEach((caption) => this.#take(caption)),
      connected: (up) => (this.away = !up),
    });
  }

  close(): void {
    this.#stream?.close();
    this.#stream = null;
    for (const stop of Object.values(this.#ending)) stop();
    this.#ending = {};
    this.all = [];
    this.language = '';
    this.away = false;
  }

  #take(caption: Caption): void {
    const name = nameOf(caption);
    const known = this.all.find((one) => nameOf(one) === name);
    if (known && milliseconds(known.changedAt) > milliseconds(caption.changedAt)) return;
    this.#ending[name]?.();
    delete this.#ending[name];
    const others = this.all.filter((one) => nameOf(one) !== name);
    if (caption.hidden || !caption.text) {
      this.all = others;
      return;
    }
    const began = milliseconds(caption.beganAt);
    const at = others.findIndex((one) => milliseconds(one.beganAt) > began);
    this.all = (at < 0 ? [...others, caption] : [...others.slice(0, at), caption, ...others.slice(at)]).slice(-most);
    if (!caption.final) this.#ending[name] = this.#clock.after(abandoned, () => this.#drop(name));
  }

  #drop(name: string): void {
    delete this.#ending[name];
    this.all = this.all.filter((one) => nameOf(one) !== name);
  }
}
