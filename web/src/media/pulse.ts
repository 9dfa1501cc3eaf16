// Whether the relay of a connection is there, by what the browser counts. Pure. Where nobody speaks a programme sends nothing, so
// that silence alone tells nothing: the checks tell that the browser sends by itself, and faster once one has no answer (RFC 7675).

/** What a connection has counted so far. */
export interface Counted {
  /** Everything that came: sound, reports, answers to checks. */
  heard: number;
  /** Checks that were sent; undefined where the browser does not count them. */
  asked: number | undefined;
}

/** Milliseconds without anything. */
export const silent = 2_000;
/** One check may be on its way and another lost. */
export const unanswered = 4;

export class Pulse {
  #last: Counted | null = null;
  #since = 0;

  /** Takes what is counted at a moment; true while nothing is heard of the other side. */
  isLost(counted: Counted, now: number): boolean {
    const last = this.#last;
    if (!last || counted.heard !== last.heard || counted.asked === undefined || last.asked === undefined) {
      this.#last = counted;
      this.#since = now;
      return false;
    }
    return now - this.#since >= silent && counted.asked - last.asked >= unanswered;
  }
}

/** The counters of interest among a connection's statistics (W3C webrtc-stats). */
export function countedIn(rows: readonly Record<string, unknown>[]): Counted {
  const counted: Counted = { heard: 0, asked: undefined };
  // Another pair that is answered carries no sound until the browser takes it, seconds later.
  const taken = pairOf(rows)?.['id'];
  for (const one of rows) {
    if (one['type'] === 'candidate-pair' && taken !== undefined && one['id'] !== taken) continue;
    const count = (name: string): number => (typeof one[name] === 'number' ? one[name] : 0);
    if (one['type'] === 'inbound-rtp') counted.heard += count('packetsReceived');
    else if (one['type'] === 'remote-outbound-rtp') counted.heard += count('reportsSent');
    else if (one['type'] === 'candidate-pair') {
      counted.heard += count('responsesReceived') + count('requestsReceived');
      if ('requestsSent' in one) counted.asked = (counted.asked ?? 0) + count('requestsSent');
    }
  }
  return counted;
}

/** How sound comes: straight by UDP, by TCP, or not yet. */
export type Way = '' | 'udp' | 'tcp';

/** The way that the browser has taken. */
export function wayIn(rows: readonly Record<string, unknown>[]): Way {
  const pair = pairOf(rows);
  const local = pair && rows.find((one) => one['id'] === pair['localCandidateId']);
  if (!local) return '';
  const protocol = local['relayProtocol'] ?? local['protocol'];
  return protocol === 'udp' ? 'udp' : 'tcp';
}

function pairOf(rows: readonly Record<string, unknown>[]): Record<string, unknown> | undefined {
  const chosen = rows.find((one) => one['type'] === 'transport')?.['selectedCandidatePairId'];
  return rows.find((one) => one['type'] === 'candidate-pair' && (chosen === undefined ? one['selected'] === true : one['id'] === chosen));
}
