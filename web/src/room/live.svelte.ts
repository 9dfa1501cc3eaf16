// One room being lived in: its seat, its event stream and its sound, kept together while pages come and go.
import { Ending, Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import { type MediaPermit, MediaKind, Role, RoomState, type OwnSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { MediaMoved, RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { RoomService, type JoinRoomResponse } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { t } from '../i18n/i18n.svelte.ts';
import { callAndGo, rooms, stage } from '../lib/api.ts';
import { endingOf, remedyOf } from '../lib/reasons.ts';
import { reasonOf, type Refusal } from '../lib/refusal.ts';
import { toasts } from '../lib/toasts.svelte.ts';
import { chime } from '../media/chime.ts';
import { microphone } from '../media/microphone.svelte.ts';
import type { Permit, SessionKind } from '../media/session.ts';
import { RoomEvents } from './events.ts';
import { pauseBefore, worthAnotherTry } from './knocking.ts';
import { NoticeBoard } from './notice-board.svelte.ts';
import { announce, forModerators, nameIn, type Notice } from './notices.ts';
import { HandQueue } from './queue.svelte.ts';
import { begin, missed, ownStageSeat, reduce, rejoined, type Gone, type RoomView } from './reducer.ts';
import { Sound } from './sound.svelte.ts';

/** A stream that is away for a shorter time is nobody's worry. */
const unnoticed = 2_500;
/** What was missed is asked for at most this often. */
const resyncEvery = 5_000;
const handsMayHaveChanged = new Set<RoomEvent['event']['case']>(['handRaised', 'handLowered', 'handsAttended', 'snapshot']);

/** What a refusal says of the seat. One that says nothing of it leaves the way back open. */
function whyGone(reason: string): Gone {
  switch (endingOf(reason)) {
    case Ending.REMOVAL:
      return 'removed';
    case Ending.TAKEOVER:
      return 'taken_over';
    case Ending.ROOM:
      return 'ended';
    default:
      return 'left';
  }
}

export class LiveRoom {
  readonly id: string;
  readonly key: string;
  readonly me: string;
  view = $state.raw<RoomView | null>(null);
  /** Why the room could not be entered. */
  refusal = $state.raw<unknown>(null);
  /** True while a refusal may pass and entering is tried again by itself. */
  waiting = $state(false);
  /** True once the person has left. */
  left = $state(false);
  /** True while the event stream is away for longer than a moment. */
  stale = $state(false);
  readonly #board: NoticeBoard;
  /** True while the server itself cannot tell whether anything newer has happened. */
  mayBeOld = $state(false);
  /** Rises when the hand queue may have changed. */
  handsVersion = $state(0);
  /** The hands that are up, for who moderates. */
  readonly queue: HandQueue;
  readonly sound: Sound;
  /** True while the person's own call changes between stage and audience: its answer brings the permit, events need not. */
  moving = false;
  #events: RoomEvents | null = null;
  #joining: Promise<JoinRoomResponse> | null = null;
  #entering: Promise<void> | null = null;
  #knock: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #mayWait = true;
  #givenUp = false;
  #staleTimer: ReturnType<typeof setTimeout> | undefined;
  #resyncedAt = -Infinity;
  #gapAt = 0n;
  #resyncedFrom = -1n;
  /** What was shown when the stream opened, until the stream has told what happened before. */
  #past: RoomView | null = null;
  #moved: MediaMoved | null = null;

  constructor(id: string, key: string, me: string) {
    this.id = id;
    this.key = key;
    this.me = me;
    this.#board = new NoticeBoard(me);
    this.queue = new HandQueue({
      list: async () => (await stage.listHands({ roomId: id })).hands,
      attend: () => stage.attendHands({ roomId: id }),
    });
    this.sound = new Sound({
      permit: (kind) => this.#permit(kind),
      member: () => this.view?.own.member ?? 0,
      refused: (reason) => this.#refused(reason),
    });
  }

  /** What happened to the person and still holds. */
  get notice(): Notice | null {
    return this.#board.notice;
  }

  get onStage(): boolean {
    return this.view !== null && this.view.own.role !== Role.LISTENER;
  }

  get moderating(): boolean {
    return this.view?.own.role === Role.MODERATOR;
  }

  /** Takes the seat, follows the room, and brings the sound up; while that cannot be just now, it is tried again. */
  async enter(): Promise<void> {
    this.refusal = null;
    this.#tries = 0;
    await this.#tryToEnter();
  }

  /** Who leaves the page before the door opens is not let in behind their back; who is in stays in. */
  giveUp(): void {
    if (this.view) return;
    this.#mayWait = false;
    this.#givenUp ||= this.waiting;
    this.waiting = false;
    clearTimeout(this.#knock);
  }

  #tryToEnter(): Promise<void> {
    clearTimeout(this.#knock);
    this.#entering ??= this.#enterOnce().finally(() => (this.#entering = null));
    return this.#entering;
  }

  async #enterOnce(): Promise<void> {
    let permit: MediaPermit | undefined;
    try {
      ({ permit } = await this.#join());
    } catch (error) {
      return this.#turnedAway(error);
    }
    if (this.#givenUp || this.left) return this.#standUp();
    this.refusal = null;
    this.waiting = false;
    try {
      await this.#soundFor(permit);
      if (this.left) return;
      this.#events = new RoomEvents(this.id, {
        revision: () => this.view?.revision ?? 0n,
        event: (event) => this.take(event),
        connected: (up) => this.#connected(up),
        refused: (refusal) => void this.#streamRefused(refusal),
      });
    } catch (error) {
      this.refusal = error;
    }
  }

  /** What is wrong stays on show while it is tried again. */
  #turnedAway(error: unknown): void {
    this.refusal = error;
    this.waiting = this.#mayWait && worthAnotherTry(error, this.#tries);
    if (this.waiting) this.#knock = setTimeout(() => void this.#tryToEnter(), pauseBefore(this.#tries++, Math.random()));
  }

  /** A seat that came after the page was left: it is given back. */
  async #standUp(): Promise<void> {
    const epoch = this.view?.own.epoch ?? 0n;
    this.view = null;
    await rooms.leaveRoom({ roomId: this.id, epoch }).catch(() => undefined);
  }

  async #join(): Promise<JoinRoomResponse> {
    this.#joining ??= rooms.joinRoom({ roomId: this.id, roomKey: this.key }).finally(() => (this.#joining = null));
    const joined = await this.#joining;
    if (joined.snapshot) {
      this.view = rejoined(this.view, begin(joined.snapshot, joined.seat, this.me), this.me);
      if (joined.roomKey) this.view.room.roomKey = joined.roomKey;
    }
    return joined;
  }

  /** The session that fits the role; on stage with the microphone as far as the browser gives it. */
  async #soundFor(permit?: MediaPermit): Promise<void> {
    const kind: SessionKind = this.onStage ? 'stage' : 'audience';
    if (kind === 'stage') await this.#openMicrophone();
    await this.sound.start(kind, permit);
  }

  async #openMicrophone(): Promise<void> {
    // The browser's question may stay open for long: the sound does not wait for it.
    const opened = microphone.open().then(async () => {
      this.#obeyMute();
      await this.sound.sendMicrophone();
    });
    if (await microphone.granted()) await opened;
  }

  /** Adopts what a call answered about the person's own place. */
  adopt(seat: OwnSeat | undefined): void {
    if (!seat || !this.view) return;
    this.view = { ...this.view, own: { ...seat } };
    this.#board.put(null, this.view);
  }

  /** Accepting an offer: onto the stage, with the microphone live already. */
  async climb(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.adopt(seat);
    microphone.enable(true);
    await this.sound.start('stage', permit);
  }

  /** Back into the audience. */
  async descend(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.adopt(seat);
    await this.sound.start('audience', permit);
    microphone.close();
  }

  take(event: RoomEvent): void {
    const before = this.view;
    if (!before) return;
    const { event: fact } = event;
    if (fact.case === 'streamStatus') this.mayBeOld = fact.value.mayBeOld;
    if (missed(before, event)) {
      this.#gap(event);
      if (fact.case !== 'pulse' && fact.case !== 'streamStatus') return;
    }
    const after = reduce(before, event, this.me);
    this.view = after;
    if (fact.case === 'mediaMoved' && after !== before) this.#moved = fact.value;
    // What happened before the stream came is shown as it came out; what to do follows from that once it is all here.
    if (this.#past && fact.case !== 'pulse' && fact.case !== 'streamStatus') return;
    const from = this.#past ?? before;
    if (this.#past || handsMayHaveChanged.has(fact.case)) this.handsVersion++;
    if (this.moderating) this.#moderate(from, after, event);
    this.#past = null;
    this.#board.put(announce(before, after, event, this.me), after);
    if (after === from) return;
    this.#follow(from, after);
  }

  /** Sound and microphone follow what was decided elsewhere. */
  #follow(before: RoomView, after: RoomView): void {
    const moved = this.#moved;
    this.#moved = null;
    if (after.gone) return this.#leaveBehind();
    if (after.takenOverEpoch > before.takenOverEpoch) void this.#takenOver(after.takenOverEpoch);
    const was = ownStageSeat(before, this.me) !== undefined;
    const is = ownStageSeat(after, this.me) !== undefined;
    if (this.moving) return;
    // Decided here, by what holds now: a sheet that goes away sees what held before, and would silence a new speaker.
    if (before.own.offer && !after.own.offer && !this.onStage) microphone.close();
    if (was && !is && this.sound.kind === 'stage') void this.descend(undefined, undefined);
    if (!was && is && this.sound.kind === 'audience') void this.#soundFor();
    this.#obeyMute();
    if (moved && (!moved.relayId || moved.relayId === this.sound.relay)) this.sound.renew(moved.spreadMilliseconds);
  }

  /** What who moderates must learn, on whichever page they are. */
  #moderate(before: RoomView, after: RoomView, event: RoomEvent): void {
    if (event.event.case !== 'pulse' || after.hands !== before.hands) this.queue.refresh();
    if (event.event.case === 'handRaised' && after.hands > before.hands) chime();
    const told = forModerators(event, this.me);
    if (told) toasts.say(told.key, { name: this.queue.nameOf(told.user) || nameIn(before, told.user) || t('room.someone') });
  }

  #obeyMute(): void {
    const seat = this.view && ownStageSeat(this.view, this.me);
    if (seat) microphone.enable(!seat.muted);
  }

  /** Another device took the seat, unless it was this one joining again. */
  async #takenOver(epoch: bigint): Promise<void> {
    await this.#joining?.catch(() => undefined);
    if (!this.view || this.view.own.epoch >= epoch) return;
    this.view = { ...this.view, gone: 'taken_over' };
    this.#leaveBehind();
  }

  #gap(event: RoomEvent): void {
    const now = performance.now();
    // A pulse may overtake a fact: only a gap that is still there at the next message counts.
    const again = this.#gapAt === this.view?.revision;
    this.#gapAt = this.view?.revision ?? 0n;
    if (event.event.case === 'pulse' && !again) return;
    if (now - this.#resyncedAt < resyncEvery) return;
    this.#resyncedAt = now;
    // The same gap again cannot be closed by what came after it.
    const afresh = this.#resyncedFrom === this.#gapAt;
    this.#resyncedFrom = this.#gapAt;
    this.#events?.resync(afresh);
  }

  #connected(up: boolean): void {
    if (up) {
      this.#past ??= this.view;
      clearTimeout(this.#staleTimer);
      this.#staleTimer = undefined;
      this.stale = false;
    } else {
      this.#staleTimer ??= setTimeout(() => (this.stale = true), unnoticed);
    }
  }

  /** The stream is refused: the seat may be gone (another device, a restart), or the room. */
  async #streamRefused(refusal: Refusal): Promise<void> {
    if (!this.view || this.view.gone) return;
    try {
      if (remedyOf(refusal.reason) !== Remedy.NEW_SEAT) {
        await rooms.getRoom({ roomId: this.id, roomKey: this.key });
      }
      this.#events?.close();
      this.sound.stop('ended');
      this.view = { ...this.view, gone: 'left' };
    } catch (error) {
      this.#refused(reasonOf(error));
    }
  }

  async #permit(kind: SessionKind): Promise<Permit> {
    const asked = kind === 'stage' ? MediaKind.STAGE : MediaKind.AUDIENCE;
    try {
      const { permit, seat } = await rooms.getMediaPermit({ roomId: this.id, kind: asked });
      this.adopt(seat);
      return permit as MediaPermit;
    } catch (error) {
      if (remedyOf(reasonOf(error)) !== Remedy.NEW_SEAT) throw error;
      const joined = await this.#join();
      return joined.permit as MediaPermit;
    }
  }

  #refused(reason: string): void {
    if (!this.view || this.view.gone) return;
    this.view = { ...this.view, gone: whyGone(reason) };
    this.#leaveBehind();
  }

  #leaveBehind(): void {
    this.giveUp();
    this.#events?.close();
    this.queue.close();
    this.#board.clear();
    clearTimeout(this.#staleTimer);
    // Where the seat is gone the relay has ended the session already.
    this.sound.stop(this.view?.gone ? 'ended' : 'here');
    microphone.close();
  }

  /** Gives the seat up; microphone and sound are silent before the first answer. */
  async leave(): Promise<void> {
    this.left = true;
    const epoch = this.view?.own.epoch ?? 0n;
    const seated = this.view !== null && !this.view.gone;
    this.#leaveBehind();
    if (seated) await rooms.leaveRoom({ roomId: this.id, epoch });
  }

  /** The page goes away: a listener's seat goes with it; a place on stage or in the queue is kept, so that a reload returns to it. */
  vanish(): void {
    this.giveUp();
    if (!this.view || this.view.gone) return;
    const { epoch, hand, offer } = this.view.own;
    const listening = !this.onStage && !hand && !offer;
    this.#events?.close();
    this.sound.stop('leaving');
    if (listening) callAndGo(RoomService.typeName, 'LeaveRoom', { roomId: this.id, epoch: epoch.toString() });
  }

  /** True when the room goes on only as long as this person stays. */
  get lastModerator(): boolean {
    const { view } = this;
    if (!view || !this.moderating || view.room.state === RoomState.ENDED) return false;
    return !view.gone && !view.stage.some((seat) => seat.role === Role.MODERATOR && seat.connected && seat.person?.userId !== this.me);
  }

  /** Ends the room for all. */
  async end(): Promise<void> {
    await rooms.endRoom({ roomId: this.id });
  }
}
