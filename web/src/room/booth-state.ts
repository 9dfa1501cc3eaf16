// Whether listeners of a booth hear somebody, and what is wrong where they do not. Pure.
import type { Booth, BoothSeat } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';
import { boothOf, interpreterIn } from './hearing.ts';
import type { RoomView } from './reducer.ts';

/**
 * `heard`: somebody is on air. `empty`: nobody sits there. `away`: nobody who sits there is connected. `muted`: who is on air has
 * the microphone off. `silent`: nothing comes from it although the floor speaks.
 */
export type BoothState = 'heard' | 'empty' | 'away' | 'muted' | 'silent';

export function boothState(booth: Booth): BoothState {
  const active = interpreterIn(booth);
  if (booth.seats.length === 0) return 'empty';
  if (!active) return 'away';
  if (active.muted) return 'muted';
  return booth.silentSince ? 'silent' : 'heard';
}

export const boothStateWords: Record<Exclude<BoothState, 'heard'>, Key> = {
  empty: 'booths.empty',
  away: 'booths.away',
  muted: 'booths.muted',
  silent: 'booths.silent',
};

/** The others in one's booth who are there: whom signs, lines and a hand-over reach. */
export function partnersIn(booth: Booth, me: string): BoothSeat[] {
  return booth.seats.filter(({ person, connected }) => connected && person?.userId !== me);
}

/** Who on the floor speaks a language that most here do not follow: neither the room's own, nor is there a booth into that. */
export function notFollowed(view: RoomView): StageSeat[] {
  const own = view.room.language;
  if (!own || view.booths.length === 0 || boothOf(view, own)) return [];
  return view.stage.filter(({ language, speaks, connected }) => language === '' && connected && speaks !== '' && speaks !== own);
}
