// Which media session fits the seat: the stage's, with the microphone, or the audience's. Follows what was decided elsewhere.
import type { MediaMoved } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { Role, type MediaPermit } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Farewell, Permit, SessionKind } from '../media/session.ts';
import { ownStageSeat, type RoomView } from './reducer.ts';

/** The part of the room's sound that is led from here. */
export interface Sounding {
  readonly kind: SessionKind;
  readonly relay: string;
  start(kind: SessionKind, permit?: Permit): Promise<void>;
  renew(spread: number): void;
  sendMicrophone(): Promise<void>;
  stop(how: Farewell): void;
}

/** The part of the person's microphone that is led from here. */
export interface Voice {
  open(): Promise<boolean>;
  granted(): Promise<boolean>;
  enable(on: boolean): void;
  close(): void;
}

export class SoundFollower {
  readonly #me: string;
  readonly #view: () => RoomView | null;
  readonly #sound: Sounding;
  readonly #microphone: Voice;
  #moving = false;

  constructor(me: string, view: () => RoomView | null, sound: Sounding, microphone: Voice) {
    this.#me = me;
    this.#view = view;
    this.#sound = sound;
    this.#microphone = microphone;
  }

  get #onStage(): boolean {
    const view = this.#view();
    return view !== null && view.own.role !== Role.LISTENER;
  }

  /** The session that fits the role; on stage with the microphone as far as the browser gives it. */
  async start(permit?: MediaPermit): Promise<void> {
    const kind: SessionKind = this.#onStage ? 'stage' : 'audience';
    if (kind === 'stage') await this.#openMicrophone();
    await this.#sound.start(kind, permit);
  }

  /** While the person's own call changes between stage and audience its answer brings the permit: events need not. */
  async during<T>(call: () => Promise<T>): Promise<T> {
    this.#moving = true;
    try {
      return await call();
    } finally {
      this.#moving = false;
    }
  }

  /** Onto the stage, with the microphone live already. */
  async climb(permit: MediaPermit | undefined): Promise<void> {
    this.#microphone.enable(true);
    await this.#sound.start('stage', permit);
  }

  /** Back into the audience. */
  async descend(permit?: MediaPermit): Promise<void> {
    await this.#sound.start('audience', permit);
    this.#microphone.close();
  }

  /** Sound and microphone after a change of the room. */
  follow(from: RoomView, after: RoomView, moved: MediaMoved | null): void {
    const was = ownStageSeat(from, this.#me) !== undefined;
    const is = ownStageSeat(after, this.#me) !== undefined;
    if (this.#moving) return;
    // Decided here, by what holds now: a sheet that goes away sees what held before, and would silence a new speaker.
    if (from.own.offer && !after.own.offer && !this.#onStage) this.#microphone.close();
    if (was && !is && this.#sound.kind === 'stage') void this.descend();
    if (!was && is && this.#sound.kind === 'audience') void this.start();
    // Another booth, or the floor, is another place on the stage, with a session of its own.
    if (was && is && from.own.language !== after.own.language && this.#sound.kind === 'stage') void this.start();
    this.#obeyMute();
    if (moved && (!moved.relayId || moved.relayId === this.#sound.relay)) this.#sound.renew(moved.spreadMilliseconds);
  }

  /** Silent at once. */
  stop(how: Farewell): void {
    this.#sound.stop(how);
    this.#microphone.close();
  }

  async #openMicrophone(): Promise<void> {
    // The browser's question may stay open for long: the sound does not wait for it.
    const opened = this.#microphone.open().then(async () => {
      this.#obeyMute();
      await this.#sound.sendMicrophone();
    });
    if (await this.#microphone.granted()) await opened;
  }

  #obeyMute(): void {
    const view = this.#view();
    const seat = view && ownStageSeat(view, this.#me);
    if (seat) this.#microphone.enable(!seat.muted);
  }
}
