// How voices on a stage come to somebody there: what each is to them, and whose goes below an interpreter's. Pure.
import type { Hearing, Part } from '../media/stage-ear.ts';
import { boothOf, interpretedOnStage } from './hearing.ts';
import { ownStageSeat, type RoomView } from './reducer.ts';

const nobody: ReadonlySet<number> = new Set();

/** Null for who hears everybody as they are: the audience, and a stage without booths. */
export function hearingOf(view: () => RoomView | null, me: string, own: { understands: readonly string[] }): Hearing {
  const now = view();
  if (!now || !ownStageSeat(now, me) || now.booths.length === 0) return null;
  return () => {
    const shown = view();
    const seat = shown && ownStageSeat(shown, me);
    if (!shown || !seat) return () => ({ source: 'floor', below: nobody });
    return seat.language ? inBooth(shown, seat.language, me) : onFloor(shown, own.understands);
  };
}

/** The partners, the booth from which is interpreted, and the floor. */
function inBooth(view: RoomView, language: string, me: string): (member: number) => Part {
  const booth = boothOf(view, language);
  const hears = booth?.seats.find((seat) => seat.person?.userId === me)?.hears ?? '';
  const partners = new Set(booth?.seats.map((seat) => seat.member));
  const pivot = new Set(hears ? boothOf(view, hears)?.seats.map((seat) => seat.member) : []);
  return (member) => ({ source: partners.has(member) ? 'partner' : pivot.has(member) ? 'relay' : 'floor', below: nobody });
}

function onFloor(view: RoomView, understands: readonly string[]): (member: number) => Part {
  const { interpreters, below } = interpretedOnStage(view, understands);
  return (member) => ({ source: interpreters.has(member) ? 'relay' : 'floor', below: below.has(member) ? interpreters : nobody });
}
