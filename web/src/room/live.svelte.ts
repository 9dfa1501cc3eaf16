// One room being lived in: its seat, its feed and its sound, kept together while pages come and go.
import type { Client } from '@connectrpc/connect';
import { Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import { MediaKind, Role, RoomState, type MediaPermit, type OwnSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { BoothSignalKind, type Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { BoothCause, type BoothChanged, type BoothSignalled } from '../gen/majlis/room_directory/v1/booth_events_pb.ts';
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import type { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import type { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { Words } from '../i18n/i18n.svelte.ts';
import type { Waits } from '../lib/back-off.ts';
import type { Clock } from '../lib/clock.ts';
import { remedyOf } from '../lib/reasons.ts';
import { reasonOf, type Refusal } from '../lib/refusal.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import type { Farewell } from '../media/session.ts';
import type { Levels } from '../media/levels.ts';
import type { StageEar } from '../media/stage-ear.ts';
import { BoothSigns, turnWords, type Turn } from './booth-signs.svelte.ts';
import { boothState } from './booth-state.ts';
import { firstLanguage } from './captioning.ts';
import { Captions, type CaptionListener, type CaptionStream } from './captions.svelte.ts';
import type { Choices } from './choices.ts';
import { Entry, type TicketBox } from './entry.svelte.ts';
import type { StreamListener } from './events.ts';
import { Feed, type Change, type Stream } from './feed.svelte.ts';
import { hearingOf } from './booth-ear.ts';
import { StageQuality } from './input-quality.svelte.ts';
import { Listening } from './listening.svelte.ts';
import type { Carried } from './heard.ts';
import { boothOf, type Choice, type Wish } from './hearing.ts';
import { Named } from './named.ts';
import { NoticeBoard } from './notice-board.svelte.ts';
import { announce, forModerators, nameIn, type Notice } from './notices.ts';
import type { PlaceLocks } from './place-locks.ts';
import { HandQueue } from './queue.svelte.ts';
import type { Gone, RoomView } from './reducer.ts';
import { SoundFollower, type Voice } from './sound-follower.ts';
import type { SoundSource, Uplink } from './sound-parts.ts';
import type { Sound } from './sound.svelte.ts';
import type { SpeakerSource, WebSpeaker } from './web-speaker.svelte.ts';
import { whyGone } from './why-gone.ts';

/** What every room is made of, whichever it is. */
export interface RoomParts {
  rooms: Client<typeof RoomService>;
  stage: Client<typeof StageService>;
  /** Gives a seat up while the page goes away: nothing waits for the answer. */
  leaveAndGo(roomId: string, epoch: bigint): void;
  stream(roomId: string, listener: StreamListener): Stream;
  sound(source: SoundSource, roomId: string, uplink: Uplink): Sound;
  speaker(source: SpeakerSource): WebSpeaker;
  microphone: Voice;
  /** A hand went up; `urgent`: something that an interpreter must not miss. */
  chime(urgent?: boolean): void;
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
  /** What was chosen by hand in this tab. */
  choices: Pick<Choices, 'of' | 'set'>;
  /** Whether the person hears in few bits. */
  thrift: { readonly on: boolean };
  /** How voices on stage are heard. */
  ear: Pick<StageEar, 'hear'>;
  /** Where it is shown who speaks. */
  levels: Pick<Levels, 'name'>;
}

export class LiveRoom {
  readonly id: string;
  readonly key: string;
  readonly me: string;
  /** The hands that are up, for who moderates. */
  readonly queue: HandQueue;
  readonly sound: Sound;
  readonly speaker: WebSpeaker;
  readonly entry: Entry;
  readonly feed: Feed;
  readonly follower: SoundFollower;
  readonly listening: Listening;
  readonly signs: BoothSigns;
  readonly captions: Captions;
  readonly quality: StageQuality;
  readonly #parts: RoomParts;
  readonly #board: NoticeBoard;
  readonly #named: Named;

  constructor(id: string, key: string, me: string, parts: RoomParts) {
    const { rooms, stage, clock, waits, choices } = parts;
    this.id = id;
    this.key = key;
    this.me = me;
    this.#parts = parts;
    this.#board = new NoticeBoard(me, clock);
    this.listening = new Listening(() => parts.understands(), { recall: () => choices.of(id).hears, keep: (hears) => choices.set(id, { hears }) }, () => parts.thrift.on);
    this.signs = new BoothSigns(clock);
    this.quality = new StageQuality(clock);
    this.captions = new Captions((language, listener) => parts.captions(id, language, listener), clock, (chosen) => choices.set(id, chosen));
    this.queue = new HandQueue(() => stage.attendHands({ roomId: id }), clock);
    this.feed = new Feed(me, (listener) => parts.stream(id, listener), clock, {
      shown: (event) => this.#shown(event),
      changed: (change) => this.#changed(change),
      adopted: (view) => this.#board.put(null, view),
      refused: (refusal) => void this.#streamRefused(refusal),
      speakers: () => this.#named.asks(),
    });
    this.entry = new Entry(
      {
        join: (ticket, slip, withoutPermit) => this.#wishing((wish) => rooms.joinRoom({ roomId: id, roomKey: key, mayWait: true, ticket, slip, withoutPermit, ...wish })),
        permit: (kind, changing) =>
          kind === 'stage'
            ? rooms.getMediaPermit({ roomId: id, kind: MediaKind.STAGE, changing, understands: this.listening.understands })
            : this.#wishing((wish) => rooms.getMediaPermit({ roomId: id, kind: MediaKind.AUDIENCE, changing, ...wish })),
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
    const source: SpeakerSource & Pick<SoundSource, 'permit'> = {
      permit: (kind, changing?: boolean) => this.entry.permit(kind, changing),
      refused: (reason) => this.#over(whyGone(reason)),
    };
    // Nobody hears themselves a second later: the gateway takes the voice out of the stream that is open.
    this.speaker = parts.speaker(source);
    this.sound = parts.sound({
      ...source,
      member: () => this.view?.own.member ?? 0,
      silent: () => choices.of(id).mute,
      choose: (mute) => choices.set(id, { mute }),
      // In a booth one hears the stage, to speak after it.
      listening: (open) => (this.view?.own.language ? open({ language: 'floor', understands: [], thrift: false }) : this.#wishing(open)),
      muffled: () => this.view?.captioners.length && !this.captions.language && this.read(),
    }, id, this.speaker);
    this.#named = new Named(this.sound, parts.levels, clock);
    this.follower = new SoundFollower(me, () => this.feed.view, this.sound, parts.microphone);
  }

  get view(): RoomView | null {
    return this.feed.view;
  }

  /** What happened to the person and still holds. */
  get notice(): Notice | null {
    return this.#board.notice;
  }

  /** How the sound goes, and the voice beside it. */
  get carried(): Carried {
    const { kind, rung, state } = this.sound;
    return { kind, rung, state, voice: this.speaker.state };
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
    if (this.#parts.choices.of(this.id).reading && !this.captions.language) this.read();
    await this.follower.start(permit);
    if (this.entry.left) return;
    this.feed.open();
    this.#named.follow(() => this.feed.renew());
  }

  /** Accepting an offer: onto the stage, with the microphone live already. */
  async climb(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.feed.adopt(seat);
    await this.follower.climb(permit);
  }

  /** Hears in another language from now on, or by itself again. */
  async hear(choice: Choice): Promise<void> {
    if (this.listening.choice === choice) return;
    this.listening.choose(choice);
    if (!this.onStage) await this.sound.change();
  }

  /** Asks with what is to be heard; for a booth that was chosen by hand and is closed meanwhile it is asked no more. */
  async #wishing<T>(ask: (wish: Wish) => Promise<T>): Promise<T> {
    const { choice } = this.listening;
    try {
      return await ask(this.listening.wish);
    } catch (error) {
      if (reasonOf(error) !== 'BOOTH_UNKNOWN' || !this.#boothClosed(choice)) throw error;
      return ask(this.listening.wish);
    }
  }

  /** Whoever had chosen a booth that is closed hears by themselves again, and is told. True when that was so. */
  #boothClosed(language: string): boolean {
    if (!this.listening.closed(language)) return false;
    if (this.onStage) return true;
    const { toasts, words } = this.#parts;
    toasts.say('listen.closed', { language: words.languageName(language) });
    return true;
  }

  /** Opens the captions: in the language chosen before, else in the one that suits this person best. */
  read(): void {
    const { view } = this;
    if (view) this.captions.show(firstLanguage(view, this.me, this.listening.understands, this.#parts.choices.of(this.id).reads));
  }

  /** Into a booth, or from it back to the floor: another place on the same stage. */
  async sit(seat: OwnSeat | undefined, permit: MediaPermit | undefined): Promise<void> {
    this.feed.adopt(seat);
    this.signs.clear();
    this.#listen();
    this.#resit();
    await this.follower.climb(permit);
  }

  /** On another place of the same stage the voice goes up anew, and something else is heard: in a booth the floor. */
  #resit(): void {
    this.speaker.renew();
    if (this.onStage && this.sound.kind === 'stage' && this.sound.rung === 'https') void this.sound.change();
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
    if (event.event.case === 'inputQuality') this.quality.take(event.event.value);
    if (event.event.case === 'speakers') this.#named.take(event.event.value.members);
    const rose = this.moderating && this.queue.take(event);
    if (!this.moderating) this.queue.clear();
    if (rose) this.#parts.chime();
  }

  /** What a booth says: to its own people, to who speaks, or to who moderates. */
  #signalled(signal: BoothSignalled): void {
    const { toasts, words } = this.#parts;
    this.signs.take(signal);
    if (signal.kind === BoothSignalKind.TAKE_OVER_PLEASE && signal.byUserId !== this.me) this.#parts.chime(true);
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
    this.#turned(from, after, fact.case === 'boothChanged' ? fact.value : null);
    if (this.moderating && fact.case === 'boothChanged' && fact.value.booth) this.#boothChanged(from, fact.value.booth);
    const gone = from.booths.some((booth) => !after.booths.some(({ language }) => language === booth.language) && this.#boothClosed(booth.language));
    if (gone && !this.onStage) void this.sound.change();
    if (from.own.language !== after.own.language) {
      this.signs.clear();
      this.#resit();
    }
    this.#listen();
  }

  /** Who is on air in the own booth has changed; whoever is it without having asked for it must not miss that. */
  #turned(from: RoomView, after: RoomView, told: BoothChanged | null): void {
    const was = boothOf(from, after.own.language)?.activeUserId;
    const is = boothOf(after, after.own.language)?.activeUserId;
    if (after.own.language !== from.own.language || was === undefined || is === undefined || was === is) return;
    this.signs.answered();
    if (is !== this.me || told?.byUserId === this.me) return;
    const turns: Partial<Record<BoothCause, Turn>> = { [BoothCause.LOST]: 'lost', [BoothCause.LEFT]: 'left' };
    const turn = (was && turns[told?.cause ?? BoothCause.UNSPECIFIED]) || 'turn';
    this.signs.fallsToMe(turn, was);
    this.#parts.chime(true);
    if (this.signs.attended) return;
    this.#parts.toasts.say(turnWords[turn], { name: nameIn(from, was) || this.#parts.words.t('room.someone') });
  }

  /** A booth that nobody hears any more is told to who moderates, on whichever page they are. */
  #boothChanged(from: RoomView, booth: Booth): void {
    const { toasts, words } = this.#parts;
    const was = boothOf(from, booth.language);
    const language = words.languageName(booth.language);
    if (was?.activeUserId && !booth.activeUserId) toasts.say('booth.empty', { language });
    else if (was && boothState(was) !== 'silent' && boothState(booth) === 'silent') toasts.say('booth.silent', { language });
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
    this.#named.close();
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
