// What a person is shown of a room: the view, kept true by events; gaps are noticed, and what was missed is asked for.
import type { JoinRoomResponse } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { MediaMoved, RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import type { OwnSeat, StreamStatus } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Clock, Stop } from '../lib/clock.ts';
import type { Refusal } from '../lib/refusal.ts';
import type { StreamListener } from './events.ts';
import { answered, begin, isFact, missed, reduce, rejoined, type Gone, type RoomView } from './reducer.ts';

/** A stream of events that goes on until it is closed. */
export interface Stream {
  close(): void;
  /** Asks again for what came after what is shown, or `afresh` for a snapshot. */
  resync(afresh: boolean): void;
  /** Asks anew, since something else is to be told. */
  renew(): void;
}

/** Something happened and is shown. */
export interface Change {
  event: RoomEvent;
  /** What was shown before; where the stream was away, before it went. */
  from: RoomView;
  after: RoomView;
  /** True for the first one after the stream came (back): it stands for all that happened meanwhile. */
  caughtUp: boolean;
  /** Where to get the sound from now on, if that changed. */
  moved: MediaMoved | null;
}

export interface FeedListener {
  /** An event came and is shown, also one of before the stream came; `changed` says what to do. */
  shown(event: RoomEvent): void;
  changed(change: Change): void;
  /** The view was changed by an answer to a call of the person's own. */
  adopted(view: RoomView): void;
  /** There will be no stream. */
  refused(refusal: Refusal): void;
  /** Whether it is to be told who speaks. */
  speakers(): boolean;
}

/** A stream that is away for a shorter time is nobody's worry. */
const unnoticed = 2_500;
/** Relays that spare no longer are believed after so long. */
const believed = 3_000;
/** What was missed is asked for at most this often. */
const resyncEvery = 5_000;

export class Feed {
  view = $state.raw<RoomView | null>(null);
  /** True while the event stream is away for longer than a moment, or stands still. */
  stale = $state(false);
  /** True while the stream is open and nothing comes: the server stands still, or the way to it does. */
  quiet = $state(false);
  /** True while the server itself cannot tell whether anything newer has happened. */
  mayBeOld = $state(false);
  /** Relays that spare their listeners something while they have much to do. */
  sparing = $state.raw<readonly string[]>([]);
  readonly #me: string;
  readonly #open: (listener: StreamListener) => Stream;
  readonly #clock: Clock;
  readonly #listener: FeedListener;
  #stream: Stream | null = null;
  #stopStale: Stop | null = null;
  #stopSparing: Stop | null = null;
  #resyncedAt = -Infinity;
  #gapAt = 0n;
  #resyncedFrom = -1n;
  /** What was shown when the stream opened, until the stream has told what happened before. */
  #past: RoomView | null = null;
  #moved: MediaMoved | null = null;

  constructor(me: string, open: (listener: StreamListener) => Stream, clock: Clock, listener: FeedListener) {
    this.#me = me;
    this.#open = open;
    this.#clock = clock;
    this.#listener = listener;
  }

  /** Follows the room from what is shown on. */
  open(): void {
    this.#stream = this.#open({
      revision: () => this.view?.revision ?? 0n,
      event: (event) => this.take(event),
      connected: (up) => this.#connected(up),
      quiet: (still) => this.#hushed(still),
      refused: (refusal) => this.#listener.refused(refusal),
      speakers: () => this.#listener.speakers(),
    });
  }

  /** Something else than before is to be told. */
  renew(): void {
    this.#stream?.renew();
  }

  /** Follows no longer; what is shown stays. */
  close(): void {
    this.#stream?.close();
    this.#stopStale?.();
    this.#stopStale = null;
    this.#rested();
  }

  /** The seat was taken, or taken again: its answer has a view of its own. */
  seated({ snapshot, seat, roomKey }: JoinRoomResponse): void {
    if (!snapshot) return;
    this.view = rejoined(this.view, begin(snapshot, seat, this.#me), this.#me);
    if (roomKey) this.view.room.roomKey = roomKey;
  }

  /** What a call answered about the person's own place. */
  adopt(seat: OwnSeat | undefined): void {
    if (!seat || !this.view) return;
    this.view = { ...this.view, own: { ...answered(this.view.own, seat) } };
    this.#listener.adopted(this.view);
  }

  /** The room is over for this person. */
  end(gone: Gone): void {
    if (this.view) this.view = { ...this.view, gone };
  }

  take(event: RoomEvent): void {
    const before = this.view;
    if (!before) return;
    const { event: fact } = event;
    if (fact.case === 'streamStatus') this.#stands(fact.value);
    if (missed(before, event)) {
      this.#gap(event);
      if (isFact(event)) return;
    }
    const after = reduce(before, event, this.#me);
    this.view = after;
    this.#listener.shown(event);
    if (fact.case === 'mediaMoved' && after !== before) this.#moved = fact.value;
    // What happened before the stream came is shown as it came out; what to do follows from that once it is all here.
    if (this.#past && fact.case !== 'pulse' && fact.case !== 'streamStatus') return;
    const change = { event, from: this.#past ?? before, after, caughtUp: this.#past !== null, moved: this.#moved };
    this.#past = null;
    if (after !== change.from) this.#moved = null;
    this.#listener.changed(change);
  }

  #stands({ mayBeOld, sparing }: StreamStatus): void {
    this.mayBeOld = mayBeOld;
    const relays = sparing.map(({ relayId }) => relayId);
    this.#rested();
    // Another gateway may not have heard the relays yet.
    if (relays.length >= this.sparing.length) this.sparing = relays;
    else this.#stopSparing = this.#clock.after(believed, () => (this.sparing = relays));
  }

  #rested(): void {
    this.#stopSparing?.();
    this.#stopSparing = null;
  }

  #gap(event: RoomEvent): void {
    const now = this.#clock.now();
    // A pulse may overtake a fact: only a gap that is still there at the next message counts.
    const again = this.#gapAt === this.view?.revision;
    this.#gapAt = this.view?.revision ?? 0n;
    if (!isFact(event) && !again) return;
    if (now - this.#resyncedAt < resyncEvery) return;
    this.#resyncedAt = now;
    // The same gap again cannot be closed by what came after it.
    const afresh = this.#resyncedFrom === this.#gapAt;
    this.#resyncedFrom = this.#gapAt;
    this.#stream?.resync(afresh);
  }

  #hushed(still: boolean): void {
    // A server that has nothing new to tell said so, and says no more for a while.
    this.quiet = still && !this.mayBeOld;
    if (this.quiet) this.stale = true;
    else if (!this.#stopStale) this.stale = false;
  }

  #connected(up: boolean): void {
    if (up) {
      this.#past ??= this.view;
      this.#stopStale?.();
      this.#stopStale = null;
      this.stale = this.quiet = false;
    } else {
      this.#stopStale ??= this.#clock.after(unnoticed, () => (this.stale = true));
    }
  }
}
