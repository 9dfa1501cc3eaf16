// What the tabs of one browser tell each other: that somebody signs out, so that none of them goes on being heard.

/** `leaving`: let go of the sound. `over`: the sign-in is gone. */
export type Word = 'leaving' | 'over';

/** The part of BroadcastChannel that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

const name = 'majlis-session';

/** The channel of this browser's tabs; null where there is none, and every tab then learns it from the server. */
export function openChannel(): Channel | null {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}

export class Tabs {
  readonly #channel: Channel | null;

  constructor(channel: Channel | null) {
    this.#channel = channel;
  }

  /** Calls back with what another tab says, and about whom. */
  listen(heard: (word: Word, user: string) => void): void {
    if (!this.#channel) return;
    this.#channel.onmessage = ({ data }: MessageEvent) => {
      const { word, user } = (data ?? {}) as { word?: unknown; user?: unknown };
      if ((word === 'leaving' || word === 'over') && typeof user === 'string' && user) heard(word, user);
    };
  }

  tell(word: Word, user: string): void {
    this.#channel?.postMessage({ word, user });
  }
}
