// In which language somebody hears a room: what they chose or understand, and what follows from the booths there are. Pure.
import type { Booth, BoothSeat } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { RoomView } from './reducer.ts';

/** Automatic, by what one understands; the floor; or one language, by hand. */
export type Choice = 'auto' | 'floor' | (string & {});

/** What a permit is asked for with: a channel by hand, or a list by which the relay chooses. */
export interface Wish {
  language: string;
  understands: string[];
  /** In few bits. */
  thrift: boolean;
}

/** So many languages count, the first ones. */
export const mostUnderstood = 6;

/** What somebody understands: as their profile says, else as their browser is set. Primary tags, the best first. */
export function understood(spoken: readonly string[], browser: readonly string[]): string[] {
  const tags = (spoken.length > 0 ? spoken : browser).map((tag) => tag.split('-')[0]?.toLowerCase() ?? '');
  return [...new Set(tags.filter((tag) => /^[a-z]{2,3}$/.test(tag)))].slice(0, mostUnderstood);
}

/** A choice by hand goes before the list. */
export function wish(choice: Choice, understands: string[], thrift = false): Wish {
  return choice === 'auto' ? { language: '', understands, thrift } : { language: choice, understands: [], thrift };
}

/** What somebody hears. `floor`: as it is said. `booth`: its interpreter. `turns`: the floor while it speaks what they understand, else the booth. */
export type Heard = { from: 'floor' } | { from: 'booth' | 'turns'; booth: Booth; interpreter: BoothSeat | undefined; plain: string[] };

/** The booth of a language, if one is open. */
export function boothOf(view: RoomView, language: string): Booth | undefined {
  return view.booths.find((booth) => booth.language === language);
}

/** Who is heard from a booth just now. */
export function interpreterIn(booth: Booth): BoothSeat | undefined {
  return booth.seats.find((seat) => seat.person?.userId === booth.activeUserId && booth.activeUserId !== '');
}

/** Languages spoken on the floor. */
export function spokenOn(view: RoomView): string[] {
  return [...new Set(view.stage.filter((seat) => seat.language === '' && seat.speaks !== '').map((seat) => seat.speaks))];
}

/** What a choice and a list come to, as the relay has it: the same rule, so that the page says what is heard. */
export function heardBy(view: RoomView, choice: Choice, understands: readonly string[]): Heard {
  const of = (from: 'booth' | 'turns', booth: Booth, plain: string[]): Heard => ({ from, booth, interpreter: interpreterIn(booth), plain });
  if (choice === 'floor') return { from: 'floor' };
  if (choice !== 'auto') {
    const booth = boothOf(view, choice);
    return booth ? of('booth', booth, []) : { from: 'floor' };
  }
  const spoken = spokenOn(view);
  const booth = understands.map((language) => boothOf(view, language)).find((one) => one !== undefined);
  if (!booth || spoken.every((language) => understands.includes(language))) return { from: 'floor' };
  const plain = spoken.filter((language) => understands.includes(language));
  return plain.length > 0 ? of('turns', booth, plain) : of('booth', booth, []);
}

/** Whom on stage one hears interpreted: the members whose voices go below their interpreter's, and who that is. */
export function interpretedOnStage(view: RoomView, understands: readonly string[]): { interpreters: Set<number>; below: Set<number> } {
  const interpreters = new Set<number>();
  const below = new Set<number>();
  const booth = understands.map((language) => boothOf(view, language)).find((one) => one !== undefined);
  const active = booth && interpreterIn(booth);
  if (!active) return { interpreters, below };
  interpreters.add(active.member);
  for (const seat of view.stage) {
    if (seat.language === '' && seat.speaks !== '' && !understands.includes(seat.speaks)) below.add(seat.member);
  }
  return { interpreters, below };
}

/** What somebody hears from the stage although they do not understand it: no booth speaks a language of theirs. */
export function notUnderstood(view: RoomView, understands: readonly string[]): string[] {
  return understands.some((language) => boothOf(view, language)) || understands.length === 0 ? [] : spokenOn(view).filter((language) => !understands.includes(language));
}

/** Whether a hand's person speaks only what no booth here takes and the room does not speak: whoever answers may not understand them. */
export function needsInterpreter(view: RoomView, spoken: readonly string[]): string | null {
  const first = spoken[0]?.split('-')[0];
  if (!first || first === view.room.language || boothOf(view, first)) return null;
  return first;
}

/** The language in which a hand's person would speak, if those who follow the room in its own language would not understand it. */
export function needsBooth(view: RoomView, spoken: readonly string[]): string | null {
  const tags = spoken.map((tag) => tag.split('-')[0] ?? '');
  const { language } = view.room;
  return tags[0] && language && !tags.includes(language) && !boothOf(view, language) ? tags[0] : null;
}
