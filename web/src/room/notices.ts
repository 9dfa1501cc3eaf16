// What an event means to the person in one calm line: muted by somebody, brought down, room held. Pure.
import type { Key } from '../i18n/i18n.svelte.ts';
import type { Captioner } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import { OfferCause, StageCause, type RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { HandCause, Role, RoomState } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { ownStageSeat, type RoomView } from './reducer.ts';

export interface Notice {
  key: Key;
  name: string;
  /** A new number for each notice, so that the same words are read out again. */
  revision: bigint;
  /** Whether what it says is still so: a notice never outlives its cause. */
  holds: Holds;
  /** True when it matters as long as it holds; anything else is read once. */
  stands: boolean;
}

type Holds = (view: RoomView, me: string) => boolean;

const below: Holds = (view, me) => !ownStageSeat(view, me) && !view.own.offer;
const writerIn = (view: RoomView, me: string): Captioner | undefined => view.captioners.find(({ person }) => person?.userId === me);
/** Until when each notice is true. */
const causes = {
  'notice.mutedBy': (view, me) => ownStageSeat(view, me)?.mutedByModerator === true,
  'notice.moderator': (view, me) => ownStageSeat(view, me)?.role === Role.MODERATOR,
  'notice.successor': (view, me) => ownStageSeat(view, me)?.successor === true,
  'notice.movedBy': below,
  'notice.handFell': (view, me) => below(view, me) && !view.own.hand,
  'notice.handDismissed': (view, me) => below(view, me) && !view.own.hand,
  'notice.offerGone': below,
  'notice.captionsLet': (view, me) => writerIn(view, me)?.muted === false,
  'notice.captionsMuted': (view, me) => writerIn(view, me)?.muted === true,
  'notice.captionsStopped': (view, me) => !writerIn(view, me),
  'notice.web': (view) => view.room.openToWeb,
  'notice.webOver': (view) => !view.room.openToWeb,
  'notice.live': (view) => view.room.state === RoomState.LIVE,
} satisfies Partial<Record<Key, Holds>>;

/** The line an event deserves, if any. */
export function announce(before: RoomView, after: RoomView, event: RoomEvent, me: string): Notice | null {
  const say = (key: keyof typeof causes, user = ''): Notice => ({
    key,
    name: nameIn(before, user),
    revision: event.event.case === 'ownHand' ? event.event.value.queueRevision : event.revision,
    holds: causes[key],
    stands: key === 'notice.mutedBy',
  });
  const { event: fact } = event;
  switch (fact.case) {
    case 'stageSeatChanged': {
      const { seat, byUserId } = fact.value;
      if (seat?.person?.userId !== me || byUserId === me) return null;
      const was = ownStageSeat(before, me);
      if (seat.mutedByModerator && !was?.mutedByModerator) return say('notice.mutedBy', byUserId);
      if (seat.role !== was?.role && was) return say('notice.moderator');
      return seat.successor && !was?.successor ? say('notice.successor') : null;
    }
    case 'stageLeft':
      return fact.value.userId === me && fact.value.cause === StageCause.MOVED ? say('notice.movedBy', fact.value.byUserId) : null;
    case 'captionersChanged': {
      const [was, is] = [writerIn(before, me), writerIn(after, me)];
      if (was && !is) return say('notice.captionsStopped');
      if (is?.muted && !was?.muted) return say('notice.captionsMuted');
      return is && !is.muted && (!was || was.muted || is.languages.length > was.languages.length) ? say('notice.captionsLet') : null;
    }
    case 'ownHand':
      if (fact.value.cause === HandCause.EXPIRED) return say('notice.handFell');
      return fact.value.cause === HandCause.DISMISSED ? say('notice.handDismissed') : null;
    case 'offerClosed':
      if (fact.value.offer?.userId !== me) return null;
      return fact.value.cause === OfferCause.EXPIRED || fact.value.cause === OfferCause.WITHDRAWN ? say('notice.offerGone') : null;
    case 'roomUpdated':
      if (before.room.state !== RoomState.LIVE && after.room.state === RoomState.LIVE) return say('notice.live');
      return before.room.openToWeb === after.room.openToWeb ? null : say(after.room.openToWeb ? 'notice.web' : 'notice.webOver');
    case 'snapshot': {
      // In place of events that were lost: what became of the person is known, by whom is not.
      const was = ownStageSeat(before, me);
      if (was && !was.mutedByModerator && ownStageSeat(after, me)?.mutedByModerator) return say('notice.mutedBy');
      return !before.room.openToWeb && after.room.openToWeb ? say('notice.web') : null;
    }
    default:
      return null;
  }
}

/** What who moderates must learn of a hand or an offer that is gone, and of whom. */
export function forModerators({ event: fact }: RoomEvent, me: string): { key: Key; user: string } | null {
  if (fact.case === 'handLowered' && fact.value.cause === HandCause.EXPIRED && fact.value.userId !== me) return { key: 'queue.fell', user: fact.value.userId };
  if (fact.case !== 'offerClosed' || !fact.value.offer || fact.value.offer.userId === me) return null;
  const { userId } = fact.value.offer;
  if (fact.value.cause === OfferCause.DECLINED) return { key: 'queue.declined', user: userId };
  return fact.value.cause === OfferCause.EXPIRED ? { key: 'queue.unanswered', user: userId } : null;
}

/** The name of somebody the view shows, or nothing. */
export function nameIn(view: RoomView, user: string): string {
  const people = [...view.stage.map((seat) => seat.person), view.room.creator, ...view.sample];
  return people.find((person) => person?.userId === user)?.displayName ?? '';
}
