// What is said in a room as text: watching it over lost connections, and writing it.
import { randomBytes } from 'node:crypto';

import type { Client } from '@connectrpc/connect';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';

import type { CaptionStreamService } from './gen/majlis/gateway/v1/caption_stream_service_pb.js';
import type { Caption } from './gen/majlis/room_directory/v1/caption_pb.js';
import type { CaptionService } from './gen/majlis/room_directory/v1/caption_service_pb.js';
import { backOff } from './pause.js';
import { passes, reasonOf } from './refusal.js';

/** A caption as it is now, and whether it was written before one began to watch. */
export interface CaptionTold {
  caption: Caption;
  past: boolean;
}

/** What a caption says. */
export interface Words {
  /** All words of it so far; empty takes back one that is not final. */
  text: string;
  /** Whether this is how it stays; true unless said otherwise. */
  final?: boolean;
  /** Of the caption that is changed; a new one when left out. */
  captionId?: string;
  /** User id of who said it. */
  speaker?: string;
  /** When it was said. */
  spokenAt?: Date;
}

export async function sendCaption(client: Client<typeof CaptionService>, roomId: string, language: string, words: Words): Promise<string> {
  const { text, final = true, captionId = randomBytes(9).toString('base64url'), speaker = '', spokenAt } = words;
  const request = { roomId, language, captionId, text, final, speakerUserId: speaker };
  await client.sendCaption(spokenAt ? { ...request, spokenAt: timestampFromDate(spokenAt) } : request);
  return captionId;
}

export async function* watchCaptions(
  client: Client<typeof CaptionStreamService>,
  roomId: string,
  language: string,
  signal?: AbortSignal,
): AsyncGenerator<CaptionTold> {
  const known = new Known();
  let isFirst = true;
  let failures = 0;
  // Leaving the loop early ends the iterator, but not the call below it: an open stream would keep the process from ending.
  const left = new AbortController();
  const ended = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
  try {
    while (!ended.aborted) {
      try {
        for await (const { captions, past } of client.watchCaptions({ roomId, language }, { timeoutMs: 0, signal: ended })) {
          failures = 0;
          // After a break the past is what was missed.
          for (const caption of captions) if (known.isNews(caption)) yield { caption, past: past && isFirst };
          isFirst = false;
        }
        // It ends so with its gateway, or with its room: opening it again tells which.
      } catch (error) {
        if (ended.aborted || reasonOf(error) === 'ROOM_ENDED') return;
        if (!passes(error)) throw error;
      }
      await backOff(failures++, ended);
    }
  } finally {
    left.abort();
  }
}

const keptMs = 660_000;

/** Which captions a reader has, and as of which change. */
class Known {
  readonly #changed = new Map<string, number>();

  isNews(caption: Caption): boolean {
    const name = `${caption.writerId} ${caption.captionId}`;
    const at = caption.changedAt;
    // Whole microseconds: a number holds them, nanoseconds it does not.
    const changed = at ? Number(at.seconds) * 1e6 + Math.floor(at.nanos / 1000) : 0;
    const before = this.#changed.get(name);
    if (before !== undefined && before >= changed) return false;
    this.#changed.set(name, changed);
    for (const [each, when] of this.#changed) if (when < changed - keptMs * 1000) this.#changed.delete(each);
    // Nobody has to forget what they never saw.
    return !(caption.hidden && before === undefined);
  }
}
