// What people do about captions: write them, correct or take them out, and let others write.
import type { Caption } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import type { Profile } from '../gen/majlis/auth/v1/account_pb.ts';
import type { Api } from '../lib/api.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import type { LiveRoom } from './live.svelte.ts';

export interface CaptionActionParts {
  api: Pick<Api, 'captions'>;
  toasts: Pick<Toasts, 'attempt'>;
}

export class CaptionActions {
  readonly #api: CaptionActionParts['api'];
  readonly #toasts: CaptionActionParts['toasts'];

  constructor({ api, toasts }: CaptionActionParts) {
    this.#api = api;
    this.#toasts = toasts;
  }

  /** What is typed so far, or as it stays. What is not final is no great loss: only the last word is told when it fails. */
  async write(room: LiveRoom, language: string, captionId: string, text: string, final: boolean): Promise<boolean> {
    const send = (): Promise<unknown> => this.#api.captions.sendCaption({ roomId: room.id, language, captionId, text, final });
    if (final) return (await this.#toasts.attempt(send)) !== undefined;
    return send().then(
      () => true,
      () => false,
    );
  }

  async correct(room: LiveRoom, { language, writerId, captionId }: Caption, text: string): Promise<boolean> {
    return (await this.#toasts.attempt(() => this.#api.captions.correctCaption({ roomId: room.id, language, writerId, captionId, text }))) !== undefined;
  }

  async hide(room: LiveRoom, { language, writerId, captionId }: Caption): Promise<void> {
    await this.#toasts.attempt(() => this.#api.captions.hideCaption({ roomId: room.id, language, writerId, captionId }));
  }

  async let(room: LiveRoom, person: Profile, language: string): Promise<void> {
    await this.#toasts.attempt(() => this.#api.captions.grantCaptioning({ roomId: room.id, userId: person.userId, language }));
  }

  async stop(room: LiveRoom, person: Profile, language: string): Promise<void> {
    await this.#toasts.attempt(() => this.#api.captions.revokeCaptioning({ roomId: room.id, userId: person.userId, language }));
  }

  async mute(room: LiveRoom, person: Profile, muted: boolean): Promise<void> {
    await this.#toasts.attempt(() => this.#api.captions.muteCaptioner({ roomId: room.id, userId: person.userId, muted }));
  }
}
