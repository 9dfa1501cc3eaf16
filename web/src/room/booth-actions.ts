// What people do about languages in a room: booths, who sits in them and what they carry, signs, and who speaks what.
import { BoothRule, BoothSignalKind } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { Profile } from '../gen/majlis/auth/v1/account_pb.ts';
import type { Words } from '../i18n/i18n.svelte.ts';
import type { Api } from '../lib/api.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import type { LiveRoom } from './live.svelte.ts';

export interface BoothActionParts {
  api: Pick<Api, 'booths' | 'rooms' | 'stage'>;
  toasts: Pick<Toasts, 'say' | 'attempt'>;
  words: Pick<Words, 'languageName'>;
}

/** What a booth's channel carries beside its interpreter; what is left out stays. */
export interface BoothSetting {
  rule?: BoothRule;
  floorAfterSeconds?: number;
  floorLevelDb?: number;
}

export class BoothActions {
  readonly #api: BoothActionParts['api'];
  readonly #toasts: BoothActionParts['toasts'];
  readonly #words: BoothActionParts['words'];

  constructor({ api, toasts, words }: BoothActionParts) {
    this.#api = api;
    this.#toasts = toasts;
    this.#words = words;
  }

  async open(room: LiveRoom, language: string): Promise<boolean> {
    return (await this.#toasts.attempt(() => this.#api.booths.openBooth({ roomId: room.id, language }))) !== undefined;
  }

  async close(room: LiveRoom, language: string): Promise<void> {
    const answer = await this.#toasts.attempt(() => this.#api.booths.closeBooth({ roomId: room.id, language }));
    if (answer?.unsaved) this.#toasts.say('moderate.unsaved');
  }

  /** Offers somebody who listens a seat in a booth. */
  async offer(room: LiveRoom, person: Profile, language: string): Promise<void> {
    const answer = await this.#toasts.attempt(() => this.#api.booths.offerBooth({ roomId: room.id, userId: person.userId, language }));
    const open = (): boolean => room.view?.offers.some((offer) => offer.userId === person.userId) === true && !room.view.gone;
    const withdraw = (): unknown => this.#toasts.attempt(() => this.#api.stage.withdrawOffer({ roomId: room.id, userId: person.userId }));
    if (answer) this.#toasts.say('booth.offered', { name: person.displayName, language: this.#words.languageName(language) }, withdraw, open);
  }

  /** Into a booth, or with no language back to the floor. */
  async sit(room: LiveRoom, language: string): Promise<boolean> {
    const { understands } = room.listening;
    const answer = await room.follower.during(() => this.#toasts.attempt(() => this.#api.booths.sitInBooth({ roomId: room.id, language, understands })));
    if (answer) await room.sit(answer.seat, answer.permit);
    return answer !== undefined;
  }

  async takeOver(room: LiveRoom): Promise<void> {
    await this.#toasts.attempt(() => this.#api.booths.takeOver({ roomId: room.id }));
  }

  async set(room: LiveRoom, language: string, setting: BoothSetting): Promise<void> {
    await this.#toasts.attempt(() => this.#api.booths.setBooth({ roomId: room.id, language, ...setting }));
  }

  /** Hears another booth instead of the floor, or the floor. */
  async hear(room: LiveRoom, language: string): Promise<void> {
    await this.#toasts.attempt(() => this.#api.booths.setHearing({ roomId: room.id, language }));
  }

  async signal(room: LiveRoom, kind: BoothSignalKind, text = ''): Promise<boolean> {
    return (await this.#toasts.attempt(() => this.#api.booths.sendBoothSignal({ roomId: room.id, kind, text }))) !== undefined;
  }

  /** Says which language somebody on stage speaks. */
  async speaks(room: LiveRoom, userId: string, language: string): Promise<void> {
    await this.#toasts.attempt(() => this.#api.stage.setSpokenLanguage({ roomId: room.id, userId, language }));
  }

  /** Ends a rehearsal: the audience hears. */
  async goLive(room: LiveRoom): Promise<void> {
    await this.#toasts.attempt(() => this.#api.rooms.goLive({ roomId: room.id }));
  }
}
