// The one action a person has in a room, as a state machine people can read. Pure.
import { HandMode, Role, RoomState, type Hand, type StageOffer, type StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { milliseconds } from '../lib/format.ts';
import { ownStageSeat, type RoomView } from './reducer.ts';

export type Primary =
  | { state: 'raise' }
  | { state: 'hands_off' }
  | { state: 'closed' }
  | { state: 'hand_up'; hand: Hand; position: number; left: number | null }
  | { state: 'invited'; offer: StageOffer; left: number }
  | { state: 'speaking'; seat: StageSeat; muted: boolean };

/** What the person can do now; `now` in milliseconds since 1970. */
export function primary(view: RoomView, me: string, now: number): Primary {
  const seat = ownStageSeat(view, me);
  if (seat && view.own.role !== Role.LISTENER) return { state: 'speaking', seat, muted: seat.muted };
  const { offer, hand } = view.own;
  if (offer) {
    const left = milliseconds(offer.expiresAt) - now;
    if (left > 0) return { state: 'invited', offer, left };
  }
  if (hand) {
    // Without an end its time stands still: no moderator looks.
    const left = hand.expiresAt ? milliseconds(hand.expiresAt) - now : null;
    if (left === null || left > 0) return { state: 'hand_up', hand, position: view.own.handPosition, left };
  }
  if (view.room.state === RoomState.CLOSING) return { state: 'closed' };
  if (view.room.handMode === HandMode.OFF) return { state: 'hands_off' };
  return { state: 'raise' };
}
