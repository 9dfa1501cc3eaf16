// The room's event stream: what happens in it, after what is shown.
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { decodeEvent } from './decode.ts';
import { SseFollower, type SseListener, type StreamParts } from './sse-follower.ts';

export interface StreamListener extends Pick<SseListener, 'connected' | 'quiet' | 'refused'> {
  /** The revision of what is shown: the stream goes on after it. */
  revision(): bigint;
  /** Whether it is to be told who speaks. */
  speakers(): boolean;
  event(event: RoomEvent): void;
}

/** Follows a room until closed. */
export class RoomEvents {
  readonly #follower: SseFollower;

  constructor(room: string, listener: StreamListener, parts: StreamParts) {
    const after = (): string => {
      const revision = listener.revision();
      return revision > 0n ? revision.toString() : '';
    };
    const { connected, quiet, refused } = told(listener);
    const follows: SseListener = {
      after,
      connected,
      quiet,
      refused,
      message: (message) => {
        const event = decodeEvent(message);
        if (event) listener.event(event);
        return event !== undefined;
      },
    };
    this.#follower = new SseFollower(() => `/events/${room}${listener.speakers() ? '?speakers=1' : ''}`, follows, parts);
  }

  close(): void {
    this.#follower.close();
  }

  /** After a gap in revisions: asks again for what came after what is shown, or `afresh` for a snapshot. */
  resync(afresh = false): void {
    this.#follower.resync(afresh);
  }

  /** Asks anew, since something else is to be told. */
  renew(): void {
    this.#follower.renew();
  }
}

/** The listener's own functions, whatever they are called on. */
function told(listener: StreamListener): Pick<SseListener, 'connected' | 'quiet' | 'refused'> {
  return { connected: (up) => listener.connected(up), quiet: (still) => listener.quiet(still), refused: (refusal) => listener.refused(refusal) };
}
