// What is said in a room as text: watching it over lost connections, and writing it.
import { randomBytes } from 'node:crypto';

import type { Client } from '@connectrpc/connect';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';

import type { CaptionStreamService } from './gen/majlis/gateway/v1/caption_stream_service_pb.js';
import type { Caption } from './gen/majlis/room_directory/v1/caption_pb.js';
import type { CaptionService } from './gen/majlis/room_directory/v1/caption_service_pb.js';
import { backOff, pause, retryMs } from './pause.js';
import { passes, reasonOf, refusalOf, Remedy } from './refusal.js';

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
  const { text, final = true, captionId = newId(), speaker = '', spokenAt } = words;
  const request = { roomId, language, captionId, text, final, speakerUserId: speaker };
  await client.sendCaption(spokenAt ? { ...request, spokenAt: timestampFromDate(spokenAt) } : request);
  return captionId;
}

/** Longest text of a caption, in characters. */
const longestText = 500;
/** Interims come no closer together: a person may send five a second of all their captions. */
const interimMs = 300;
const finalTries = 6;

/** Who says a caption, and when. */
export type Said = Pick<Words, 'speaker' | 'spokenAt'>;

/**
 * Writes the captions of one language of a room, one after the other: interims of each, then how it stays. It keeps to the pace that the
 * server allows: interims that come too fast are left out, a final one never; that waits out limits, restarts and a seat the server lost.
 */
export class CaptionWriter {
  readonly #send: (words: Words) => Promise<string>;
  readonly #sit: () => Promise<unknown>;
  #id = newId();
  #nextAt = 0;
  #shown = '';

  /** `send` writes a caption; `sit` takes the writer's seat again where the server lost it. */
  constructor(send: (words: Words) => Promise<string>, sit: () => Promise<unknown>) {
    this.#send = send;
    this.#sit = sit;
  }

  /** Shows what is understood so far of the caption that is being said; empty takes it back. */
  async interim(text: string, said: Said = {}): Promise<void> {
    const shown = cut(text);
    const now = performance.now();
    if (now < this.#nextAt || shown === this.#shown) return;
    this.#nextAt = now + interimMs;
    // One that is lost is soon followed by the next.
    const sent = this.#send({ ...said, text: shown, final: false, captionId: this.#id });
    await sent.then(() => (this.#shown = shown), () => undefined);
  }

  /** Ends the caption with these words, and answers with its id; empty where there are none. Throws when it may not. */
  async final(text: string, said: Said = {}): Promise<string> {
    const words = { ...said, text: cut(text), final: true, captionId: this.#id };
    if (!words.text && !this.#shown) return '';
    this.#id = newId();
    this.#shown = '';
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#send(words);
        return words.text ? words.captionId : '';
      } catch (error) {
        const outside = refusalOf(error)?.remedy === Remedy.NEW_SEAT;
        if (attempt + 1 >= finalTries || !(outside || passes(error))) throw error;
        await (outside ? this.#sit() : pause(retryMs(error)));
      }
    }
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}

/** The text on one line, no longer than a caption may be: of a longer one its end, for that is what is new. */
function cut(text: string): string {
  const line = [...text.split(/\s+/).filter(Boolean).join(' ')];
  return line.length <= longestText ? line.join('') : `…${line.slice(1 - longestText).join('')}`;
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
