// How well whoever speaks can be heard by interpreters, and how far those are behind: as the relay measured it last. Nobody keeps it.
import type { StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { InputFault, InputVerdict, type InputQuality, type SpeakerQuality } from '../gen/majlis/room_directory/v1/input_quality_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';
import type { Clock, Stop } from '../lib/clock.ts';

/** It is told at least every ten seconds; what is older than this says nothing of now. */
const voidAfter = 25_000;

export class StageQuality {
  #told = $state.raw<InputQuality | null>(null);
  readonly #clock: Clock;
  #stop: Stop | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(told: InputQuality): void {
    this.#told = told;
    this.#stop?.();
    this.#stop = this.#clock.after(voidAfter, () => (this.#told = null));
  }

  get speakers(): readonly SpeakerQuality[] {
    return this.#told?.speakers ?? [];
  }

  /** How many milliseconds a booth is behind the floor; null while that is not known. */
  delay(language: string): number | null {
    return this.#told?.booths.find((booth) => booth.language === language)?.delayMs ?? null;
  }
}

export const faultWords: Partial<Record<InputFault, Key>> = {
  [InputFault.QUIET]: 'quality.quiet',
  [InputFault.LOUD]: 'quality.loud',
  [InputFault.CLIPPING]: 'quality.clipping',
  [InputFault.NARROW_BAND]: 'quality.narrow',
  [InputFault.LOSS]: 'quality.loss',
  [InputFault.ECHO]: 'quality.echo',
};

/** Those of the floor of whom something is known and whose microphone is on, with their seats: who is hard to work from first. */
export function judged(speakers: readonly SpeakerQuality[], stage: readonly StageSeat[]): { seat: StageSeat; quality: SpeakerQuality; poor: boolean }[] {
  const found = speakers.flatMap((quality) => {
    const seat = stage.find(({ person, language, muted }) => person?.userId === quality.userId && language === '' && !muted);
    return seat && quality.verdict !== InputVerdict.UNSPECIFIED ? [{ seat, quality, poor: quality.verdict === InputVerdict.POOR }] : [];
  });
  return [...found.filter(({ poor }) => poor), ...found.filter(({ poor }) => !poor)];
}
