// One room being lived in: its seat, its feed and its sound, kept together while pages come and go.
import type { Client } from '@connectrpc/connect';
import { Ending, Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import { MediaKind, Role, RoomState, type MediaPermit, type OwnSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { BoothSignalKind, type Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { BoothSignalled } from '../gen/majlis/room_directory/v1/booth_events_pb.ts';
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import type { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import type { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { Words } from '../i18n/i18n.svelte.ts';
import type { Waits } from '../lib/back-off.ts';
import type { Clock } from '../lib/clock.ts';
import { endingOf, remedyOf } from '../lib/reasons.ts';
import { reasonOf, type Refusal } from '../lib/refusal.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import type { Farewell } from '../media/session.ts';
import type { StageEar } from '../media/stage-ear.ts';
import { BoothSigns } from './booth-signs.svelte.ts';
import { Captions, type CaptionListener, type CaptionStream } from './captions.svelte.ts';
import { Entry, type TicketBox } from './entry.svelte.ts';
import type { StreamListener } from './events.ts';
import { Feed, type Change, type Stream } from './feed.svelte.ts';
import { hearingOf } from './booth-ear.ts';
import { Listening } from './listening.svelte.ts';
import type { Choice } from './hearing.ts';
import { NoticeBoard } from './notice-board.svelte.ts';
import { announce, forModerators, nameIn, type Notice } from './notices.ts';
import type { PlaceLocks } from './place-locks.ts';
import { HandQueue } from './queue.svelte.ts';
import type { Gone, RoomView } from './reducer.ts';
import { SoundFollower, type Voice } from './sound-follower.ts';
import type { Sound, SoundSource } from './sound.svelte.ts';

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

/** What every room is made of, whichever it is. */
export interface RoomParts {
  rooms: Client<typeof RoomService>;
  stage: Client<typeof StageService>;
  /** Gives a seat up while the page goes away: nothing waits for the answer. */
  leaveAndGo(roomId: string, epoch: bigint): void;
  stream(roomId: string, listener: StreamListener): Stream;
  sound(source: SoundSource): Sound;
  microphone: Voice;
  /** A hand went up. */
  chime(): void;
  toasts: Pick<Toasts, 'say'>;
  words: Pick<Words, 't' | 'languageName'>;
  clock: Clock;
  waits: Waits;
  tickets(roomId: string, roomKey: string): TicketBox;
  /** What the tabs of this browser know of a place before a room. */
  places(roomId: string): PlaceLocks;
  /** The languages the person understands, the best first. */
  understands(): string[];
  /** The captions of a room in a language. */
  captions(roomId: string, language: string, listener: CaptionListener): CaptionStream;
  /** How voices on stage are heard. */
  ear: Pick<StageEar, 'hear'>;
}

export class LiveRoom {
  readonly id: string;
  readonly key: string;
  readonly me: string;
  /** The hands that are up, for who moderates. */
  readonly queue: HandQueue;
  readonly sound: Sound;
  readonly entry: Entry;
  readonly feed: Feed;
  readonly follower: SoundFollower;
  readonly listening: Listening;
  readonly signs: BoothSigns;
  readonly captions: Captions;
  readonly #parts: RoomParts;
  readonly #board: NoticeBoard;

  constructor(id: string, key: string, me: string, parts: RoomParts) {
    const { rooms, stage, clock, waits } = parts;
    this.id = id;
    this.key = key;
    this.me = me;
    this.#parts = parts;
    this.#board = new NoticeBoard(me, clock);
    this.listening = new Listening(() => parts.understands());
    this.signs = new BoothSigns(clock);
    this.captions = new Captions((language, listener) => parts.captions(id, language, listener), clock);
    this.queue = new HandQueue(() => stage.attendHands({ roomId: id }), clock);
    this.feed = new Feed(me, (listener) => parts.stream(id, listener), clock, {
      shown: (event) => this.#shown(event),
      changed: (change) => this.#changed(change),
      adopted: (view) => this.#board.put(null, view),
      refused: (refusal) => void this.#streamRefused(refusal),
    });
    this.entry = new Entry(
      {
        join: (ticket, slip) => rooms.joinRoom({ roomId: id, roomKey: key, mayWait: true, ticket, slip, ...this.listening.wish }),
        permit: (kind, changing) =>
          kind === 'stage'
            ? rooms.getMediaPermit({ roomId: id, kind: MediaKind.STAGE, changing, understands: this.listening.understands })
            : rooms.getMediaPermit({ roomId: id, kind: MediaKind.AUDIENCE, changing, ...this.listening.wish }),
        leave: (epoch) => rooms.leaveRoom({ roomId: id, epoch }),
        leaveLine: (ticket) => rooms.leaveLine({ roomId: id, ticket }),
      },
      {
        seated: (answer) => this.feed.seated(answer),
        adopt: (seat) => this.feed.adopt(seat),
        admitted: (permit) => this.#admitted(permit),
      },
      waits,
      clock,
      parts.tickets(id, key),
      parts.places(id),
    );
    this.sound = parts.sound({
      permit: (kind, changing) => this.entry.permit(kind, changing),
      member: () => this.view?.own.member ?? 0,
      refused: (reason) => this.#over(whyGone(reason)),
    });
    this.follower = new SoundFollower(me, () => this.feed.view, this.sound, parts.microphone);
  }

  get view(): RoomView | null {
    return this.feed.view;
  }

  /** What happened to the person and still holds. */
  get notice(): Notice | null {
    return this.#board.notice;
  }

  get onStage(): boolean {
    return this.view !== null && this.view.own.role !== Role.LISTENER;
  }

  /** True while the relay of a listener spares: sound is a little simpler then, or comes a little later. */
  get spared(): boolean {
    return !this.onStage && this.sound.kind === 'audience' && this.feed.sparing.includes(this.sound.relay);
  }

  get moderating(): boolean {
    return this.view?.own.role === Role.MODERATOR;
  }

  /** True when the room goes on only as long as this person stays. */
  get lastModerator(): boolean {
    const { view } = this;
    if (!view || !this.moderating || view.room.state === RoomState.ENDED) return false;
    return !view.gone && !view.stage.some((seat) => seat.role === Role.MODERATOR && seat.connected && seat.person?.userId !== this.me);
  }

  /** Inside: the sound comes up, and the room is followed. */
  async #admitted(permit: MediaPermit | undefined): Promise<void> {
    this.#listen();
    await this.follower.start(permit);
    if (!this.entry.left) this.feed.open();
  }

  /** Accepting an offer: onto the stage, with the microphone live already. */
  async climb(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.feed.adopt(seat);
    await this.follower.climb(permit);
  }

  /** Hears in another language from now on, or by itself again. */
  async hear(choice: Choice): Promise<void> {
    if (this.listening.choice === choice) return;
    this.listening.choice = choice;
    if (!this.onStage) await this.sound.change();
  }

  /** Into a booth, or from it back to the floor: another place on the same stage. */
  async sit(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.feed.adopt(seat);
    this.signs.clear();
    this.#listen();
    await this.follower.climb(permit);
  }

  /** How voices on stage are heard from now on. */
  #listen(): void {
    this.#parts.ear.hear(hearingOf(() => this.view, this.me, this.listening));
  }

  /** Back into the audience. */
  async descend(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.feed.adopt(seat);
    await this.follower.descend(permit);
  }

  #shown(event: RoomEvent): void {
    if (event.event.case === 'boothSignalled') this.#signalled(event.event.value);
    const rose = this.moderating && this.queue.take(event);
    if (!this.moderating) this.queue.clear();
    if (rose) this.#parts.chime();
  }

  /** What a booth says: to its own people, to who speaks, or to who moderates. */
  #signalled(signal: BoothSignalled): void {
    const { toasts, words } = this.#parts;
    this.signs.take(signal);
    if (signal.kind === BoothSignalKind.TECHNICIAN) toasts.say('booth.technicianAsked', { language: words.languageName(signal.language), text: signal.text || '–' });
  }

  #changed({ event, from, after, moved }: Change): void {
    this.#followBooths(event, from, after);
    if (this.moderating) this.#moderate(from, event);
    this.#board.put(announce(from, after, event, this.me), after);
    if (after === from) return;
    if (after.gone) return this.#leaveBehind();
    if (after.takenOverEpoch > from.takenOverEpoch) void this.#takenOver(after.takenOverEpoch);
    this.follower.follow(from, after, moved);
  }

  #followBooths({ event: fact }: RoomEvent, from: RoomView, after: RoomView): void {
    if (after === from || after.gone) return;
    if (fact.case === 'boothChanged' && fact.value.booth) this.#boothChanged(from, fact.value.booth, fact.value.byUserId);
    const gone = from.booths.some((booth) => !after.booths.some(({ language }) => language === booth.language) && this.listening.closed(booth.language));
    if (gone && !this.onStage) void this.sound.change();
    if (from.own.language !== after.own.language) this.signs.clear();
    this.#listen();
  }

  /** Who is heard now without having asked for it hears of it, and who moderates of a booth that fell silent. */
  #boothChanged(from: RoomView, booth: Booth, by: string): void {
    const { toasts, words, chime } = this.#parts;
    const was = from.booths.find(({ language }) => language === booth.language);
    const language = words.languageName(booth.language);
    if (booth.activeUserId === this.me) this.signs.answered();
    if (booth.activeUserId === this.me && was && was.activeUserId !== '' && was.activeUserId !== this.me && by !== this.me) {
      chime();
      toasts.say('booth.yourTurn', { language });
    }
    if (!this.moderating) return;
    if (was?.activeUserId && !booth.activeUserId) toasts.say('booth.empty', { language });
    else if (booth.silentSince && !was?.silentSince) toasts.say('booth.silent', { language });
  }

  /** What who moderates must learn, on whichever page they are. */
  #moderate(before: RoomView, event: RoomEvent): void {
    const { toasts, words } = this.#parts;
    const told = forModerators(event, this.me);
    if (told) toasts.say(told.key, { name: this.queue.nameOf(told.user) || nameIn(before, told.user) || words.t('room.someone') });
  }

  /** Another device took the seat, unless it was this one joining again. */
  async #takenOver(epoch: bigint): Promise<void> {
    await this.entry.settled();
    if (this.view && this.view.own.epoch < epoch) this.#over('taken_over');
  }

  /** The stream is refused: the seat may be gone (another device, a restart), or the room. */
  async #streamRefused(refusal: Refusal): Promise<void> {
    if (!this.view || this.view.gone) return;
    try {
      if (remedyOf(refusal.reason) !== Remedy.NEW_SEAT) {
        await this.#parts.rooms.getRoom({ roomId: this.id, roomKey: this.key });
      }
      this.#over('left');
    } catch (error) {
      this.#over(whyGone(reasonOf(error)));
    }
  }

  #over(gone: Gone): void {
    if (!this.view || this.view.gone) return;
    this.feed.end(gone);
    this.#leaveBehind();
  }

  #leaveBehind(): void {
    this.entry.giveUp();
    this.feed.close();
    this.queue.clear();
    this.captions.close();
    this.#board.clear();
    // Where the seat is gone the relay has ended the session already.
    const how: Farewell = this.view?.gone ? 'ended' : 'here';
    this.follower.stop(how);
  }

  /** Gives the seat up; microphone and sound are silent before the first answer. */
  async leave(): Promise<void> {
    const { view } = this;
    this.entry.close();
    this.#leaveBehind();
    if (view && !view.gone) await this.entry.leave(view.own.epoch);
  }

  /** The page goes away: a listener's seat goes with it; a place on stage or in the queue is kept, so that a reload returns to it. */
  vanish(): void {
    this.entry.giveUp();
    if (!this.view || this.view.gone) return;
    const { epoch, hand, offer } = this.view.own;
    const listening = !this.onStage && !hand && !offer;
    this.feed.close();
    this.sound.stop('leaving');
    if (listening) this.#parts.leaveAndGo(this.id, epoch);
  }

  /** Ends the room for all. */
  async end(): Promise<void> {
    await this.#parts.rooms.endRoom({ roomId: this.id });
  }
}
