// How loud each person is just now: read from the packets that are being played, told to rings without redrawing the page.
import type { Clock, Stop } from '../lib/clock.ts';

type Listener = (level: number) => void;

/** A person counts as speaking this long after the last packet that names them. */
const hold = 300;
/** Below this share of full scale a named speaker is only breathing (about -50 dB). */
const floor = 0.003;
/** What a ring shows when the packets name a speaker but carry no level. */
const plain = 0.35;
const interval = 40;

/** The level of each member number, 0 when silent, else 0-1 on a scale that follows hearing. */
export class Levels {
  readonly #clock: Clock;
  readonly #listeners = new Map<number, Set<Listener>>();
  readonly #seen = new Map<number, { stamp: number; at: number; level: number }>();
  readonly #shown = new Map<number, number>();
  #named: ReadonlySet<number> = new Set();
  #stop: Stop | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts reading; `receivers` gives what is played, `own` the person's number and microphone level. */
  start(receivers: () => RTCRtpReceiver[], own: () => { member: number; level: number } | null): void {
    this.stop();
    this.#stop = this.#clock.every(interval, () => {
      const now = this.#clock.now();
      for (const receiver of receivers()) this.#read(receiver, now);
      const mine = own();
      if (mine?.member) this.#hear(mine.member, mine.level, now);
      this.#tell(now);
    });
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
    this.#seen.clear();
    this.#named = new Set();
    this.#tell(this.#clock.now());
  }

  /** These speak until it is said anew, whatever packets tell. */
  name(members: readonly number[]): void {
    this.#named = new Set(members);
  }

  /** Calls back with the member's level whenever it changes; the answer ends it. */
  follow(member: number, listener: Listener): () => void {
    const set = this.#listeners.get(member) ?? new Set();
    this.#listeners.set(member, set.add(listener));
    listener(this.#shown.get(member) ?? 0);
    return () => set.delete(listener);
  }

  #hear(member: number, level: number, now: number): void {
    const last = this.#seen.get(member);
    this.#seen.set(member, { stamp: now, at: level > floor ? now : (last?.at ?? -Infinity), level });
  }

  #read(receiver: RTCRtpReceiver, now: number): void {
    const sources = receiver.getContributingSources?.() ?? [];
    const ssrc = receiver.getSynchronizationSources?.()[0];
    for (const { source, timestamp, audioLevel } of sources) {
      const last = this.#seen.get(source);
      // A source is heard when its stamp moved on: no need to know which clock the browser stamps with.
      if (last?.stamp === timestamp) continue;
      const level = audioLevel ?? ssrc?.audioLevel ?? -1;
      const heard = level < 0 || level > floor;
      this.#seen.set(source, { stamp: timestamp, at: heard ? now : (last?.at ?? -Infinity), level: level < 0 ? plain : loudness(level) });
    }
  }

  #tell(now: number): void {
    for (const [member, listeners] of this.#listeners) {
      const seen = this.#seen.get(member);
      const heard = seen && now - seen.at < hold ? Math.max(0.08, seen.level) : 0;
      const level = this.#named.has(member) ? Math.max(plain, heard) : heard;
      if (level === (this.#shown.get(member) ?? 0)) continue;
      this.#shown.set(member, level);
      for (const listener of listeners) listener(level);
    }
  }
}

/** Linear amplitude as a share of a 50 dB range. */
export function loudness(amplitude: number): number {
  return amplitude <= 0 ? 0 : Math.min(1, Math.max(0, 1 + (20 * Math.log10(amplitude)) / 50));
}
