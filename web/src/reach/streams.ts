// The tone and events over plain HTTPS: whether they come as they are made, or held up on their way.
import type { Outcome } from './code.ts';

const firstWithin = 6_000;
const follow = 4_000;
const lateAfter = 1_500;
const leastBytes = 10_000;
const leastBeats = 8;

/** What came of a stream, and when, in milliseconds. */
export interface Arrived {
  chunks: Uint8Array<ArrayBuffer>[];
  times: number[];
}

/** The longest time between two pieces; null where there were not two. */
export function longestGap(times: readonly number[]): number | null {
  return times.length < 2 ? null : Math.max(...times.slice(1).map((time, at) => time - (times[at] ?? time)));
}

export function judgedSound({ chunks, times }: Arrived): Outcome {
  const gap = longestGap(times);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return gap === null || gap > lateAfter || bytes < leastBytes ? 'late' : 'works';
}

export function judgedEvents({ times }: Arrived): Outcome {
  return times.length >= leastBeats ? 'works' : 'late';
}

/** What comes within a few seconds of the first; throws where there is no answer. */
export async function arrivals(open: (signal: AbortSignal) => Promise<Response>): Promise<Arrived> {
  const abort = new AbortController();
  const arrived: Arrived = { chunks: [], times: [] };
  let timer = setTimeout(() => abort.abort(), firstWithin);
  try {
    const response = await open(abort.signal);
    const reader = response.body?.getReader();
    for (;;) {
      const piece = await reader?.read();
      if (!piece || piece.done) break;
      if (arrived.times.length === 0) {
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), follow);
      }
      arrived.chunks.push(piece.value);
      arrived.times.push(performance.now());
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return arrived;
}

/** Which container of the tone this browser plays. */
export function ending(): 'webm' | 'mp4' {
  return new Audio().canPlayType('audio/webm; codecs=opus') ? 'webm' : 'mp4';
}

/** Everything that came, in one piece. */
export function whole({ chunks }: Arrived): ArrayBuffer {
  const data = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    data.set(chunk, at);
    at += chunk.length;
  }
  return data.buffer;
}
