// The room that sounds, as lock screens, headsets and media keys show and steer it (W3C Media Session).

/** What of it is used; a browser without it shows nothing. */
export type Keys = Pick<MediaSession, 'metadata' | 'playbackState' | 'setActionHandler'>;

export interface Sounding {
  title: string;
  /** Who is on stage. */
  by: string;
  /** Where this is. */
  at: string;
  playing: boolean;
  /** Hears again, or nothing any more; null where the keys are to do neither. */
  steer: { play(): void; pause(): void } | null;
}

export class LockScreen {
  readonly #keys: Keys | undefined;
  readonly #describe: (about: MediaMetadataInit) => MediaMetadata;
  #said = '';

  constructor(keys: Keys | undefined, describe: (about: MediaMetadataInit) => MediaMetadata) {
    [this.#keys, this.#describe] = [keys, describe];
  }

  /** Shows what sounds, or nothing. */
  show(sounding: Sounding | null): void {
    if (!this.#keys) return;
    if (sounding) this.#tell(this.#keys, sounding);
    else this.#clear(this.#keys);
  }

  #tell(keys: Keys, { title, by, at, playing, steer }: Sounding): void {
    // A picture that is set anew flickers.
    const said = JSON.stringify([title, by, at]);
    if (said !== this.#said) {
      const artwork = [{ src: '/icon-192.png', sizes: '192x192', type: 'image/png' }];
      keys.metadata = this.#describe({ title, artist: by, album: at, artwork });
      this.#said = said;
    }
    keys.playbackState = playing ? 'playing' : 'paused';
    on(keys, 'play', steer && (() => steer.play()));
    on(keys, 'pause', steer && (() => steer.pause()));
    // Some headsets have no other key.
    on(keys, 'stop', steer && (() => steer.pause()));
  }

  #clear(keys: Keys): void {
    if (!this.#said) return;
    this.#said = '';
    keys.metadata = null;
    keys.playbackState = 'none';
    for (const action of ['play', 'pause', 'stop'] as const) on(keys, action, null);
  }
}

function on(keys: Keys, action: MediaSessionAction, does: (() => void) | null): void {
  try {
    keys.setActionHandler(action, does);
  } catch {
    // A browser refuses actions that it does not know.
  }
}
