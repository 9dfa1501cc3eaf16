// What people do in a room: one function for each call, refusals shown where they happen.
import type { Profile } from '../gen/majlis/auth/v1/account_pb.ts';
import { Deed } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { HandMode, ReportKind, Role, Visibility, type StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { t } from '../i18n/i18n.svelte.ts';
import { moderation, rooms, stage } from '../lib/api.ts';
import { share } from '../lib/share.ts';
import { attempt, toasts } from '../lib/toasts.svelte.ts';
import { microphone } from '../media/microphone.svelte.ts';
import type { LiveRoom } from './live.svelte.ts';
import type { RoomView } from './reducer.ts';

/** Raises the person's hand, with a question or without; raising again keeps the place. */
export async function raiseHand(room: LiveRoom, question: string): Promise<boolean> {
  const answer = await attempt(() => stage.raiseHand({ roomId: room.id, question }));
  room.adopt(answer?.seat);
  return answer !== undefined;
}

export async function lowerHand(room: LiveRoom): Promise<void> {
  room.adopt((await attempt(() => stage.lowerHand({ roomId: room.id })))?.seat);
}

/** Looks the person's place in the queue up again. */
export async function refreshPlace(room: LiveRoom): Promise<void> {
  try {
    const { seat } = await rooms.getRoom({ roomId: room.id, roomKey: room.key });
    if (seat && room.view) room.adopt({ ...room.view.own, hand: seat.hand, handPosition: seat.handPosition });
  } catch {
    // The place shown is a little old; the next change asks again.
  }
}

/** Accepts the stage: the microphone first, so that nobody stands there unheard. */
export async function acceptOffer(room: LiveRoom, offerId: string): Promise<boolean> {
  if (!(await microphone.open())) return false;
  const answer = await moving(room, () => stage.acceptOffer({ roomId: room.id, offerId }));
  if (answer) await room.climb(answer.seat, answer.permit);
  else microphone.close();
  return answer !== undefined;
}

export async function declineOffer(room: LiveRoom, offerId: string): Promise<void> {
  const answer = await attempt(() => stage.declineOffer({ roomId: room.id, offerId }));
  room.adopt(answer?.seat);
  if (!room.onStage) microphone.close();
}

export async function leaveStage(room: LiveRoom): Promise<void> {
  const answer = await moving(room, () => stage.leaveStage({ roomId: room.id }));
  if (answer) await room.descend(answer.seat, answer.permit);
}

async function moving<T>(room: LiveRoom, call: () => Promise<T>): Promise<T | undefined> {
  room.moving = true;
  const answer = await attempt(call);
  room.moving = false;
  return answer;
}

/** Switches the own microphone: off at once and whatever the server says, on when the server agrees. */
export async function setOwnMute(room: LiveRoom, muted: boolean): Promise<void> {
  if (muted) microphone.hold();
  else if (!(await microphone.open())) return toasts.say('mic.denied');
  else await room.sound.sendMicrophone();
  const answer = await attempt(() => stage.setOwnMute({ roomId: room.id, muted }));
  if (answer && !muted) microphone.release();
}

export async function bringUp(room: LiveRoom, person: Profile): Promise<void> {
  const answer = await attempt(() => stage.offerStage({ roomId: room.id, userId: person.userId }));
  const open = (view: RoomView): boolean => view.offers.some((offer) => offer.userId === person.userId);
  if (answer) toasts.say('moderate.offered', { name: person.displayName }, () => withdrawOffer(room, person.userId), whileIn(room, open));
}

/** Whether something is still so, for as long as the person is in the room at all. */
function whileIn(room: LiveRoom, so: (view: RoomView) => boolean): () => boolean {
  return () => room.view !== null && !room.left && !room.view.gone && so(room.view);
}

/** Somebody's seat on stage, if they have one. */
function seatOf(view: RoomView, person: Profile): StageSeat | undefined {
  return view.stage.find((seat) => seat.person?.userId === person.userId);
}

/** A moderator's act; where it holds but could not be written, that is said. Whether it took effect. */
async function enforce(call: () => Promise<{ unsaved: boolean }>): Promise<boolean> {
  const answer = await attempt(call);
  if (answer?.unsaved) toasts.say('moderate.unsaved');
  return answer !== undefined;
}

export async function withdrawOffer(room: LiveRoom, userId: string): Promise<void> {
  await attempt(() => stage.withdrawOffer({ roomId: room.id, userId }));
}

export async function dismissHand(room: LiveRoom, userId: string): Promise<void> {
  if (!(await enforce(() => stage.dismissHand({ roomId: room.id, userId })))) return;
  toasts.say('moderate.handDown', { name: room.queue.nameOf(userId) || t('room.someone') }, () => takeBack(room, userId, Deed.DISMISS_HAND), whileIn(room, () => true));
}

/** Undoes what was done a moment ago; where it is too late or others changed it meanwhile, that is said. */
async function takeBack(room: LiveRoom, userId: string, deed: Deed): Promise<void> {
  await attempt(() => stage.takeBack({ roomId: room.id, userId, deed }));
}

export async function muteSpeaker(room: LiveRoom, person: Profile): Promise<void> {
  if (!(await enforce(() => stage.muteSpeaker({ roomId: room.id, userId: person.userId })))) return;
  toasts.say('moderate.muted', { name: person.displayName }, () => takeBack(room, person.userId, Deed.MUTE), whileIn(room, (view) => seatOf(view, person)?.muted === true));
}

export async function moveToAudience(room: LiveRoom, person: Profile): Promise<void> {
  if (!(await enforce(() => stage.moveToAudience({ roomId: room.id, userId: person.userId })))) return;
  const below = (view: RoomView): boolean => !seatOf(view, person) && !view.offers.some((offer) => offer.userId === person.userId);
  toasts.say('moderate.moved', { name: person.displayName }, () => attempt(() => stage.offerStage({ roomId: room.id, userId: person.userId })), whileIn(room, below));
}

export async function removePerson(room: LiveRoom, person: Profile): Promise<void> {
  if (!(await enforce(() => moderation.removePerson({ roomId: room.id, userId: person.userId })))) return;
  toasts.say('moderate.removed', { name: person.displayName }, () => attempt(() => moderation.readmitPerson({ roomId: room.id, userId: person.userId })), whileIn(room, () => true));
}

export async function makeModerator(room: LiveRoom, person: Profile): Promise<void> {
  if (!(await attempt(() => stage.makeModerator({ roomId: room.id, userId: person.userId })))) return;
  toasts.say('moderate.madeModerator', { name: person.displayName }, () => takeBack(room, person.userId, Deed.MAKE_MODERATOR), whileIn(room, (view) => seatOf(view, person)?.role === Role.MODERATOR));
}

export async function nameSuccessor(room: LiveRoom, person: Profile, named: boolean): Promise<void> {
  if (!(await attempt(() => stage.nameSuccessor({ roomId: room.id, userId: person.userId, named })))) return;
  if (named) toasts.say('moderate.successor', { name: person.displayName }, undefined, whileIn(room, (view) => seatOf(view, person)?.successor === true));
}

/** Keeps a person out of the rooms the caller leads; whether they are still inside this one, for a block puts nobody out. */
export async function blockPerson(room: LiveRoom, person: Profile): Promise<boolean> {
  const answer = await attempt(() => moderation.blockPerson({ userId: person.userId }));
  if (answer?.unsaved) toasts.say('moderate.unsaved');
  if (answer) toasts.say('moderate.blocked', { name: person.displayName }, () => attempt(() => moderation.unblockPerson({ userId: person.userId })));
  return answer?.rooms.some((led) => led.roomId === room.id) ?? false;
}

export async function reportPerson(room: LiveRoom, person: Profile, kind: ReportKind, text: string): Promise<boolean> {
  const answer = await attempt(() => moderation.reportPerson({ roomId: room.id, userId: person.userId, kind, text }));
  if (answer) toasts.say('report.sent');
  return answer !== undefined;
}

export async function setHands(room: LiveRoom, on: boolean): Promise<void> {
  await attempt(() => rooms.updateRoom({ roomId: room.id, handMode: on ? HandMode.EVERYONE : HandMode.OFF }));
}

export async function editRoom(room: LiveRoom, title: string, description: string, visibility: Visibility): Promise<boolean> {
  return (await attempt(() => rooms.updateRoom({ roomId: room.id, title, description, visibility }))) !== undefined;
}

export async function addGuest(room: LiveRoom, handle: string): Promise<boolean> {
  const answer = await attempt(() => rooms.addGuest({ roomId: room.id, handle: handle.replace(/^@/, '') }));
  if (answer) toasts.say('room.guestAdded', { name: handle });
  return answer !== undefined;
}

/** Hands the room's link on; a closed room's with its key, as far as this person has it. */
export async function shareRoom(room: LiveRoom): Promise<void> {
  const shown = room.view?.room;
  const key = shown?.visibility === Visibility.CLOSED ? shown.roomKey || room.key : '';
  await share(`${location.origin}/r/${room.id}${key ? `#${key}` : ''}`, shown?.title ?? '');
}

export async function endRoom(room: LiveRoom): Promise<void> {
  await enforce(() => rooms.endRoom({ roomId: room.id }));
}
