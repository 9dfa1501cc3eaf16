// What people do in a room: one method for each call, refusals shown where they happen.
import type { Profile } from '../gen/majlis/auth/v1/account_pb.ts';
import { Deed } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { HandMode, LineOrder, ReportKind, Role, Visibility, type StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Words } from '../i18n/i18n.svelte.ts';
import type { Api } from '../lib/api.ts';
import type { Sharing } from '../lib/share.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import type { Microphone } from '../media/microphone.svelte.ts';
import type { LiveRoom } from './live.svelte.ts';
import type { RoomView } from './reducer.ts';

export interface ActionParts {
  api: Pick<Api, 'rooms' | 'stage' | 'moderation'>;
  toasts: Pick<Toasts, 'say' | 'attempt'>;
  words: Pick<Words, 't'>;
  sharing: Pick<Sharing, 'share'>;
  microphone: Pick<Microphone, 'open' | 'close' | 'hold' | 'release'>;
}

export class RoomActions {
  readonly #rooms: Api['rooms'];
  readonly #stage: Api['stage'];
  readonly #moderation: Api['moderation'];
  readonly #toasts: ActionParts['toasts'];
  readonly #words: ActionParts['words'];
  readonly #sharing: ActionParts['sharing'];
  readonly #microphone: ActionParts['microphone'];

  constructor({ api, toasts, words, sharing, microphone }: ActionParts) {
    this.#rooms = api.rooms;
    this.#stage = api.stage;
    this.#moderation = api.moderation;
    this.#toasts = toasts;
    this.#words = words;
    this.#sharing = sharing;
    this.#microphone = microphone;
  }

  /** Raises the person's hand, with a question or without; raising again keeps the place. */
  async raiseHand(room: LiveRoom, question: string): Promise<boolean> {
    const answer = await this.#toasts.attempt(() => this.#stage.raiseHand({ roomId: room.id, question }));
    room.feed.adopt(answer?.seat);
    return answer !== undefined;
  }

  async lowerHand(room: LiveRoom): Promise<void> {
    room.feed.adopt((await this.#toasts.attempt(() => this.#stage.lowerHand({ roomId: room.id })))?.seat);
  }

  /** Accepts the stage: the microphone first, so that nobody stands there unheard. */
  async acceptOffer(room: LiveRoom, offerId: string): Promise<boolean> {
    if (!(await this.#microphone.open())) return false;
    const answer = await room.follower.during(() => this.#toasts.attempt(() => this.#stage.acceptOffer({ roomId: room.id, offerId, understands: room.listening.understands })));
    if (answer) await room.climb(answer.seat, answer.permit);
    else this.#microphone.close();
    return answer !== undefined;
  }

  async declineOffer(room: LiveRoom, offerId: string): Promise<void> {
    const answer = await this.#toasts.attempt(() => this.#stage.declineOffer({ roomId: room.id, offerId }));
    room.feed.adopt(answer?.seat);
    if (!room.onStage) this.#microphone.close();
  }

  async leaveStage(room: LiveRoom): Promise<void> {
    const answer = await room.follower.during(() => this.#toasts.attempt(() => this.#stage.leaveStage({ roomId: room.id, understands: room.listening.wish.understands })));
    if (answer) await room.descend(answer.seat, answer.permit);
  }

  /** Switches the own microphone: off at once and whatever the server says, on when the server agrees. */
  async setOwnMute(room: LiveRoom, muted: boolean): Promise<void> {
    if (muted) this.#microphone.hold();
    else if (!(await this.#microphone.open())) return this.#toasts.say('mic.denied');
    else await room.sound.sendMicrophone();
    const answer = await this.#toasts.attempt(() => this.#stage.setOwnMute({ roomId: room.id, muted }));
    if (answer && !muted) this.#microphone.release();
  }

  async bringUp(room: LiveRoom, person: Profile): Promise<void> {
    const answer = await this.#toasts.attempt(() => this.#stage.offerStage({ roomId: room.id, userId: person.userId }));
    const open = (view: RoomView): boolean => view.offers.some((offer) => offer.userId === person.userId);
    if (answer) this.#toasts.say('moderate.offered', { name: person.displayName }, () => this.withdrawOffer(room, person.userId), whileIn(room, open));
  }

  /** A moderator's act; where it holds but could not be written, that is said. Whether it took effect. */
  async #enforce(call: () => Promise<{ unsaved: boolean }>): Promise<boolean> {
    const answer = await this.#toasts.attempt(call);
    if (answer?.unsaved) this.#toasts.say('moderate.unsaved');
    return answer !== undefined;
  }

  async withdrawOffer(room: LiveRoom, userId: string): Promise<void> {
    await this.#toasts.attempt(() => this.#stage.withdrawOffer({ roomId: room.id, userId }));
  }

  async dismissHand(room: LiveRoom, userId: string): Promise<void> {
    if (!(await this.#enforce(() => this.#stage.dismissHand({ roomId: room.id, userId })))) return;
    this.#toasts.say('moderate.handDown', { name: room.queue.nameOf(userId) || this.#words.t('room.someone') }, () => this.#takeBack(room, userId, Deed.DISMISS_HAND), whileIn(room, () => true));
  }

  /** Undoes what was done a moment ago; where it is too late or others changed it meanwhile, that is said. */
  async #takeBack(room: LiveRoom, userId: string, deed: Deed): Promise<void> {
    await this.#toasts.attempt(() => this.#stage.takeBack({ roomId: room.id, userId, deed }));
  }

  async muteSpeaker(room: LiveRoom, person: Profile): Promise<void> {
    if (!(await this.#enforce(() => this.#stage.muteSpeaker({ roomId: room.id, userId: person.userId })))) return;
    this.#toasts.say('moderate.muted', { name: person.displayName }, () => this.#takeBack(room, person.userId, Deed.MUTE), whileIn(room, (view) => seatOf(view, person)?.muted === true));
  }

  async moveToAudience(room: LiveRoom, person: Profile): Promise<void> {
    if (!(await this.#enforce(() => this.#stage.moveToAudience({ roomId: room.id, userId: person.userId })))) return;
    const below = (view: RoomView): boolean => !seatOf(view, person) && !view.offers.some((offer) => offer.userId === person.userId);
    this.#toasts.say('moderate.moved', { name: person.displayName }, () => this.#toasts.attempt(() => this.#stage.offerStage({ roomId: room.id, userId: person.userId })), whileIn(room, below));
  }

  async removePerson(room: LiveRoom, person: Profile): Promise<void> {
    if (!(await this.#enforce(() => this.#moderation.removePerson({ roomId: room.id, userId: person.userId })))) return;
    this.#toasts.say('moderate.removed', { name: person.displayName }, () => this.#toasts.attempt(() => this.#moderation.readmitPerson({ roomId: room.id, userId: person.userId })), whileIn(room, () => true));
  }

  async makeModerator(room: LiveRoom, person: Profile): Promise<void> {
    if (!(await this.#toasts.attempt(() => this.#stage.makeModerator({ roomId: room.id, userId: person.userId })))) return;
    this.#toasts.say('moderate.madeModerator', { name: person.displayName }, () => this.#takeBack(room, person.userId, Deed.MAKE_MODERATOR), whileIn(room, (view) => seatOf(view, person)?.role === Role.MODERATOR));
  }

  async nameSuccessor(room: LiveRoom, person: Profile, named: boolean): Promise<void> {
    if (!(await this.#toasts.attempt(() => this.#stage.nameSuccessor({ roomId: room.id, userId: person.userId, named })))) return;
    if (named) this.#toasts.say('moderate.successor', { name: person.displayName }, undefined, whileIn(room, (view) => seatOf(view, person)?.successor === true));
  }

  /** Keeps a person out of the rooms the caller leads; whether they are still inside this one, for a block puts nobody out. */
  async blockPerson(room: LiveRoom, person: Profile): Promise<boolean> {
    const answer = await this.#toasts.attempt(() => this.#moderation.blockPerson({ userId: person.userId }));
    if (answer?.unsaved) this.#toasts.say('moderate.unsaved');
    if (answer) this.#toasts.say('moderate.blocked', { name: person.displayName }, () => this.#toasts.attempt(() => this.#moderation.unblockPerson({ userId: person.userId })));
    return answer?.rooms.some((led) => led.roomId === room.id) ?? false;
  }

  async reportPerson(room: LiveRoom, person: Profile, kind: ReportKind, text: string): Promise<boolean> {
    const answer = await this.#toasts.attempt(() => this.#moderation.reportPerson({ roomId: room.id, userId: person.userId, kind, text }));
    if (answer) this.#toasts.say('report.sent');
    return answer !== undefined;
  }

  async setHands(room: LiveRoom, on: boolean): Promise<void> {
    await this.#toasts.attempt(() => this.#rooms.updateRoom({ roomId: room.id, handMode: on ? HandMode.EVERYONE : HandMode.OFF }));
  }

  /** Changes what the room is; the order of its line only where this person started it. */
  async editRoom(room: LiveRoom, title: string, description: string, visibility: Visibility, order: LineOrder): Promise<boolean> {
    const lineOrder = room.view?.room.creator?.userId === room.me ? order : LineOrder.UNSPECIFIED;
    return (await this.#toasts.attempt(() => this.#rooms.updateRoom({ roomId: room.id, title, description, visibility, lineOrder }))) !== undefined;
  }

  /** Lets anybody hear the room without signing in, or nobody any more; said at once where that could not be written. */
  async openToWeb(room: LiveRoom, openToWeb: boolean): Promise<void> {
    await this.#enforce(() => this.#rooms.updateRoom({ roomId: room.id, openToWeb }));
  }

  async limitWeb(room: LiveRoom, webListenerLimit: number): Promise<boolean> {
    return (await this.#toasts.attempt(() => this.#rooms.updateRoom({ roomId: room.id, webListenerLimit }))) !== undefined;
  }

  async addGuest(room: LiveRoom, handle: string): Promise<boolean> {
    const answer = await this.#toasts.attempt(() => this.#rooms.addGuest({ roomId: room.id, handle: handle.replace(/^@/, '') }));
    if (answer) this.#toasts.say('room.guestAdded', { name: handle });
    return answer !== undefined;
  }

  /** Hands the room's link on; a closed room's with its key, as far as this person has it. */
  async shareRoom(room: LiveRoom): Promise<void> {
    const shown = room.view?.room;
    const key = shown?.visibility === Visibility.CLOSED ? shown.roomKey || room.key : '';
    await this.#sharing.share(`${location.origin}/r/${room.id}${key ? `#${key}` : ''}`, shown?.title ?? '');
  }

  async endRoom(room: LiveRoom): Promise<void> {
    await this.#enforce(() => this.#rooms.endRoom({ roomId: room.id }));
  }
}

/** Whether something is still so, for as long as the person is in the room at all. */
function whileIn(room: LiveRoom, so: (view: RoomView) => boolean): () => boolean {
  return () => room.view !== null && !room.entry.left && !room.view.gone && so(room.view);
}

/** Somebody's seat on stage, if they have one. */
function seatOf(view: RoomView, person: Profile): StageSeat | undefined {
  return view.stage.find((seat) => seat.person?.userId === person.userId);
}
