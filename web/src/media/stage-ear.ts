// How people on stage hear: plainly, or through an ear that puts voices below their interpreter's and tells floor, relay and partner apart.
import type { Clock, Stop } from '../lib/clock.ts';
import type { Ear, Source, Tuning } from './ear/ear.ts';
import type { Incoming, MediaSession } from './session.ts';

/** What somebody is to who listens, and whether their voice goes below others while these speak. */
export interface Part {
  source: Source;
  /** Below whom: members whose voice lowers this one while it sounds. */
  below: ReadonlySet<number>;
}

/** Says of a member how they are heard; null while everybody is heard as they are, and no ear is needed. */
export type Hearing = (() => (member: number) => Part) | null;

/** The part of an ear that is used. */
export type Hears = Pick<Ear, 'attach' | 'detach' | 'tune' | 'duck' | 'close'>;

/** How often it is looked who speaks where: a voice goes down well before its interpreter has begun a second word. */
const look = 100;
/** An interpreter pauses for breath: what is below stays there for so long. */
const breath = 1_500;

type Session = Pick<MediaSession, 'voices' | 'silence'>;

export class StageEar {
  readonly #open: () => Promise<Hears>;
  readonly #clock: Clock;
  readonly #stamps = new Map<number, { stamp: number; at: number }>();
  readonly #kinds = new Map<string, number>();
  #hearing: Hearing = null;
  #session: Session | null = null;
  #ear: Hears | null = null;
  #making = false;
  #tunings = new Map<Source, Tuning>();
  #stop: Stop | null = null;

  /** `open` makes an ear; where the browser has none everybody is heard as they are. */
  constructor(open: () => Promise<Hears>, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** How this person hears from now on. */
  hear(hearing: Hearing): void {
    this.#hearing = hearing;
    this.#turn();
  }

  tune(source: Source, tuning: Tuning): void {
    this.#tunings.set(source, tuning);
    this.#ear?.tune(source, tuning);
  }

  /** Hears a session of the stage. */
  follow(session: Session): void {
    this.#detach();
    this.#session = session;
    this.#turn();
  }

  /** Hears nothing of a stage. */
  rest(): void {
    this.#detach();
    this.#session = null;
    this.#turn();
  }

  #turn(): void {
    const wanted = this.#hearing !== null && this.#session !== null;
    if (!wanted) {
      this.#detach();
      this.#session?.silence(false);
      this.#stop?.();
      this.#stop = null;
      this.#ear?.close();
      this.#ear = null;
      return;
    }
    this.#stop ??= this.#clock.every(look, () => this.#look());
    if (!this.#ear && !this.#making) void this.#make();
  }

  async #make(): Promise<void> {
    let ear: Hears;
    this.#making = true;
    try {
      ear = await this.#open();
    } catch {
      // No ear here: everybody is heard as they are.
      return;
    } finally {
      this.#making = false;
    }
    if (!this.#hearing || !this.#session) return ear.close();
    this.#ear = ear;
    for (const [source, tuning] of this.#tunings) ear.tune(source, tuning);
    this.#look();
  }

  #look(): void {
    const ear = this.#ear;
    const hearing = this.#hearing;
    const session = this.#session;
    if (!ear || !hearing || !session) return;
    const now = this.#clock.now();
    const partOf = hearing();
    session.silence(true);
    for (const voice of session.voices) this.#note(voice, now);
    for (const { id, stream } of session.voices) {
      const member = this.#kinds.get(id);
      const part = member === undefined ? null : partOf(member);
      ear.attach(id, part?.source ?? 'floor', stream);
      ear.duck(id, [...(part?.below ?? [])].some((above) => above !== member && this.#sounds(above, now)));
    }
  }

  /** Whose voice a stream carries, and when it was heard last. */
  #note({ id, receiver }: Incoming, now: number): void {
    const newest = [...receiver.getContributingSources()].sort((a, b) => b.timestamp - a.timestamp)[0];
    if (!newest) return;
    this.#kinds.set(id, newest.source);
    const last = this.#stamps.get(newest.source);
    // A source is heard when its stamp moved on: no need to know which clock the browser stamps with.
    if (last?.stamp !== newest.timestamp) this.#stamps.set(newest.source, { stamp: newest.timestamp, at: now });
  }

  #sounds(member: number, now: number): boolean {
    const last = this.#stamps.get(member);
    return last !== undefined && now - last.at < breath;
  }

  #detach(): void {
    for (const { id } of this.#session?.voices ?? []) this.#ear?.detach(id);
    this.#kinds.clear();
    this.#stamps.clear();
  }
}
