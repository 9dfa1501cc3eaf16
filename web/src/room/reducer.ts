// What a person sees of a room: a snapshot and the events after it, folded into one view. Pure: no clock, no network.
import { create } from '@bufbuild/protobuf';
import type { Profile } from '../gen/majlis/auth/v1/account_pb.ts';
import type { Captioner } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import type { Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { StageCause, type RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { OwnSeatSchema, Role, RoomState, type ListenerRungs, type OwnHand, type OwnSeat, type Room, type RoomSnapshot, type StageOffer, type StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';

/** Why a person is no longer in the room. */
export type Gone = 'removed' | 'ended' | 'taken_over' | 'left';

export interface RoomView {
  room: Room;
  stage: StageSeat[];
  sample: Profile[];
  offers: StageOffer[];
  /** The open booths, in the order they were opened. */
  booths: Booth[];
  /** Who may write captions. */
  captioners: Captioner[];
  listeners: number;
  hands: number;
  /** By which way the audience hears, as moderators are told; null while that is not known. */
  rungs: ListenerRungs | null;
  revision: bigint;
  own: OwnSeat;
  gone: Gone | null;
  /** The highest epoch at which this person's seat was taken over, by whichever device. */
  takenOverEpoch: bigint;
}

/** A view from what JoinRoom or GetRoom answered. */
export function begin(snapshot: RoomSnapshot, own: OwnSeat | undefined, me: string): RoomView {
  const view: RoomView = {
    room: snapshot.room as Room,
    stage: [],
    sample: [],
    offers: [],
    booths: [],
    captioners: [],
    listeners: 0,
    hands: 0,
    rungs: null,
    revision: 0n,
    own: own ?? create(OwnSeatSchema, { role: Role.LISTENER }),
    gone: null,
    takenOverEpoch: 0n,
  };
  return own ? withSnapshot(view, snapshot, me, own) : withSnapshot(view, snapshot, me, view.own);
}

/** The view after the seat was taken again: its answer may be older than what the stream brought meanwhile. */
export function rejoined(view: RoomView | null, answer: RoomView, me: string): RoomView {
  if (!view || view.gone) return answer;
  const own = answered(view.own, answer.own);
  if (answer.revision >= view.revision) return own === answer.own ? answer : { ...answer, own };
  const seat = ownStageSeat(view, me);
  const offer = view.offers.find((entry) => entry.userId === me);
  return { ...view, own: { ...own, ...place(seat), offer: seat ? undefined : offer } };
}

/** The own place after a call answered; of the hand the stream may have brought newer news meanwhile. */
export function answered(own: OwnSeat, answer: OwnSeat): OwnSeat {
  const { hand, handPosition, queueRevision } = own;
  return answer.queueRevision >= queueRevision ? answer : { ...answer, hand, handPosition, queueRevision };
}

/** What repeats the room's revision instead of bringing the next one: counts, the stream's status, and hands, which are counted apart. */
const apart = new Set<RoomEvent['event']['case']>(['pulse', 'streamStatus', 'handQueue', 'handRaised', 'handLowered', 'ownHand', 'boothSignalled', 'inputQuality', 'listenerRungs', 'speakers']);

/** Whether an event is one of the room's numbered facts, or a snapshot in place of some. */
export function isFact({ event: fact }: RoomEvent): boolean {
  return !apart.has(fact.case);
}

/**
 * The view after an event. Every fact has a revision of its own: one that the view has, and a snapshot no newer than it,
 * change nothing, unless the server says that the room went back to an older state.
 */
export function reduce(view: RoomView, event: RoomEvent, me: string): RoomView {
  const { event: fact } = event;
  if (fact.case === 'snapshot') return event.revision > view.revision || event.rewound ? withSnapshot(view, fact.value, me, view.own) : view;
  if (fact.case === 'streamStatus' || fact.case === 'boothSignalled' || fact.case === 'inputQuality' || fact.case === 'speakers') return view;
  if (fact.case === 'listenerRungs') return { ...view, rungs: fact.value };
  if (fact.case === 'pulse') {
    const sample = fact.value.audienceSample;
    const room = { ...view.room, webListenerCount: fact.value.webListenerCount };
    return { ...view, room, listeners: fact.value.listenerCount, hands: fact.value.handCount, sample: sample.length > 0 ? sample : fact.value.listenerCount === 0 ? [] : view.sample };
  }
  if (fact.case === 'handQueue') return { ...view, hands: fact.value.hands.length };
  if (fact.case === 'handRaised' || fact.case === 'handLowered') return { ...view, hands: fact.value.handCount };
  if (fact.case === 'ownHand') return ownHand(view, fact.value, event.rewound);
  if (event.revision <= view.revision) return view;
  return applyFact({ ...view, revision: event.revision }, event, me);
}

/** True when events between the view and this one are missing. */
export function missed(view: RoomView, event: RoomEvent): boolean {
  if (event.event.case === 'snapshot') return false;
  if (!isFact(event)) return event.revision > view.revision;
  return event.revision > view.revision + 1n;
}

function applyFact(view: RoomView, { event: fact }: RoomEvent, me: string): RoomView {
  switch (fact.case) {
    case 'roomCreated':
    case 'roomUpdated':
      return fact.value.room ? withRoom(view, fact.value.room) : view;
    case 'roomEnded':
      return { ...view, gone: 'ended' };
    case 'stageOffered':
      return fact.value.offer ? stageOffered(view, fact.value.offer, me) : view;
    case 'offerClosed':
      return fact.value.offer ? offerClosed(view, fact.value.offer, me) : view;
    case 'stageJoined':
      return fact.value.seat ? stageJoined(view, fact.value.seat, me) : view;
    case 'stageSeatChanged':
      return fact.value.seat ? seatChanged(view, fact.value.seat, me) : view;
    case 'stageLeft':
      return stageLeft(view, fact.value.userId, me, fact.value.cause);
    case 'personRemoved':
      return personRemoved(view, fact.value.userId, me);
    case 'boothChanged':
      return fact.value.booth ? withBooth(view, fact.value.booth) : view;
    case 'captionersChanged':
      return { ...view, captioners: fact.value.captioners };
    case 'boothClosed':
      return { ...view, booths: view.booths.filter((booth) => booth.language !== fact.value.language) };
    case 'seatTakenOver':
      return fact.value.userId === me && fact.value.epoch > view.takenOverEpoch ? { ...view, takenOverEpoch: fact.value.epoch } : view;
    default:
      return view;
  }
}

function withSnapshot(view: RoomView, snapshot: RoomSnapshot, me: string, own: OwnSeat): RoomView {
  const seat = snapshot.stage.find((entry) => entry.person?.userId === me);
  const offer = snapshot.offers.find((entry) => entry.userId === me);
  const room = snapshot.room ?? view.room;
  return {
    ...view,
    room: { ...room, roomKey: room.roomKey || view.room.roomKey },
    stage: snapshot.stage,
    sample: snapshot.audienceSample,
    offers: snapshot.offers,
    booths: snapshot.booths,
    captioners: snapshot.captioners,
    listeners: room.listenerCount,
    hands: snapshot.handCount,
    revision: snapshot.revision,
    gone: room.state === RoomState.ENDED ? 'ended' : view.gone,
    own: { ...own, ...place(seat), offer: seat ? undefined : offer },
  };
}

function withBooth(view: RoomView, booth: Booth): RoomView {
  const known = view.booths.some(({ language }) => language === booth.language);
  const booths = known ? view.booths.map((each) => (each.language === booth.language ? booth : each)) : [...view.booths, booth];
  return { ...view, booths };
}

/** Role, member number and booth by the seat on stage, or a listener's. */
function place(seat: StageSeat | undefined): Pick<OwnSeat, 'role' | 'member' | 'language'> {
  return seat ? { role: seat.role, member: seat.member, language: seat.language } : { role: Role.LISTENER, member: 0, language: '' };
}

function withRoom(view: RoomView, room: Room): RoomView {
  const handsOff = room.handMode === 1 ? { hand: undefined, handPosition: 0 } : {};
  // A change of the room counts nobody: pulses do.
  const kept = { roomKey: room.roomKey || view.room.roomKey, webListenerCount: room.openToWeb ? view.room.webListenerCount : 0 };
  return { ...view, room: { ...room, ...kept }, own: { ...view.own, ...handsOff } };
}

/** The own hand as the stream tells it; an answer to the person's own call may have been newer. */
function ownHand(view: RoomView, { hand, position, queueRevision }: OwnHand, rewound: boolean): RoomView {
  if (queueRevision < view.own.queueRevision && !rewound) return view;
  return { ...view, own: { ...view.own, hand, handPosition: position, queueRevision } };
}

function stageOffered(view: RoomView, offer: StageOffer, me: string): RoomView {
  const offers = [...view.offers.filter((entry) => entry.offerId !== offer.offerId), offer];
  return offer.userId === me ? { ...view, offers, own: { ...view.own, offer } } : { ...view, offers };
}

function offerClosed(view: RoomView, offer: StageOffer, me: string): RoomView {
  const offers = view.offers.filter((entry) => entry.offerId !== offer.offerId);
  return offer.userId === me ? { ...view, offers, own: { ...view.own, offer: undefined } } : { ...view, offers };
}

function stageJoined(view: RoomView, seat: StageSeat, me: string): RoomView {
  const user = seat.person?.userId ?? '';
  const stage = [...view.stage.filter((entry) => entry.person?.userId !== user), seat];
  const offers = view.offers.filter((offer) => offer.userId !== user);
  const sample = view.sample.filter((person) => person.userId !== user);
  const own = user === me ? { ...view.own, ...place(seat), offer: undefined, hand: undefined, handPosition: 0 } : view.own;
  // Who goes up came from the audience; the next pulse counts anew.
  const listeners = stage.length > view.stage.length ? Math.max(0, view.listeners - 1) : view.listeners;
  return { ...view, stage, offers, sample, own, listeners };
}

function seatChanged(view: RoomView, seat: StageSeat, me: string): RoomView {
  const user = seat.person?.userId ?? '';
  if (!view.stage.some((entry) => entry.person?.userId === user)) return stageJoined(view, seat, me);
  const stage = view.stage.map((entry) => (entry.person?.userId === user ? seat : entry));
  return { ...view, stage, own: user === me ? { ...view.own, ...place(seat) } : view.own };
}

function stageLeft(view: RoomView, user: string, me: string, cause = StageCause.UNSPECIFIED): RoomView {
  const stays = cause === StageCause.MOVED || cause === StageCause.BACK_TO_AUDIENCE;
  const stage = view.stage.filter((entry) => entry.person?.userId !== user);
  const listeners = view.listeners + (stays ? view.stage.length - stage.length : 0);
  return { ...view, stage, listeners, own: user === me ? { ...view.own, ...place(undefined) } : view.own };
}

function personRemoved(view: RoomView, user: string, me: string): RoomView {
  const left = stageLeft(view, user, me);
  const rest = {
    sample: view.sample.filter((person) => person.userId !== user),
    offers: view.offers.filter((offer) => offer.userId !== user),
  };
  return { ...left, ...rest, gone: user === me ? 'removed' : view.gone };
}

/** Moderators first, then by time on stage. */
export function inOrder(stage: StageSeat[]): StageSeat[] {
  const since = (seat: StageSeat): number => Number(seat.since?.seconds ?? 0n);
  const rank = (seat: StageSeat): number => (seat.role === Role.MODERATOR ? 0 : 1);
  return [...stage].sort((a, b) => rank(a) - rank(b) || since(a) - since(b));
}

/** Faces of the audience: the sample, in which who listens finds themselves whether or not it happens to hold them. */
export function listenersShown(view: RoomView, own: Profile | undefined, most: number): Profile[] {
  const listens = own !== undefined && view.own.role === Role.LISTENER && !view.gone;
  const missing = listens && !view.sample.slice(0, most).some((each) => each.userId === own.userId);
  return (missing ? [own, ...view.sample.filter((each) => each.userId !== own.userId)] : view.sample).slice(0, most);
}

/** The caller's own seat on stage, if any. */
export function ownStageSeat(view: RoomView, me: string): StageSeat | undefined {
  return view.stage.find((seat) => seat.person?.userId === me);
}
