// Who is heard just now, and how many are here.
import type { Clock } from '../lib/clock.ts';
import type { Levels } from '../media/levels.ts';
import type { StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { RoomView } from './reducer.ts';

/** A name stays through a breath. */
const breath = 1_200;
const look = 400;

/** The names of those who speak now, for the life of the component that asks. */
export function whoSpeaks(stage: () => StageSeat[], levels: Pick<Levels, 'follow'>, clock: Clock): { readonly names: string[] } {
  let names = $state.raw<string[]>([]);
  $effect(() => {
    const seats = stage().filter((seat) => !seat.muted);
    const level: Record<number, number> = {};
    const last: Record<number, number> = {};
    const stops = seats.map(({ member }) => levels.follow(member, (heard) => void (level[member] = heard)));
    const stopLooking = clock.every(look, () => {
      const at = clock.now();
      for (const { member } of seats) if ((level[member] ?? 0) > 0) last[member] = at;
      const speak = seats.filter(({ member }) => at - (last[member] ?? -Infinity) < breath).map((seat) => seat.person?.displayName ?? '');
      if (speak.join('\n') !== names.join('\n')) names = speak;
    });
    return () => {
      stopLooking();
      for (const stop of stops) stop();
    };
  });
  return {
    get names() {
      return names;
    },
  };
}

/** Everyone in the room: who listens and who is on stage and there. */
export function hereIn(view: RoomView): number {
  return view.listeners + view.stage.filter((seat) => seat.connected).length;
}
