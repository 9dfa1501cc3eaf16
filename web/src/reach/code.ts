// The short code of a trial: what worked, for an operator to read. `sdk/python/majlis_client/reach_code.py` says what is in it and reads it.

export const outcomes = ['untried', 'works', 'nothing', 'silent', 'late', 'refused', 'cannot', 'failed'] as const;
export type Outcome = (typeof outcomes)[number];
export const clocks = ['unknown', 'right', 'ahead', 'far_ahead', 'behind', 'far_behind'] as const;
export type Skew = (typeof clocks)[number];
export const rungs = ['udp', 'tcp', 'turn', 'https', 'socket', 'events'] as const;
export type Rung = (typeof rungs)[number];

const secures = ['unknown', 'tls', 'plain', 'refused'] as const;
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const version = 1n;
const spare = 2n;
const checkBits = 10;
const polynomial = 0x233;

export const roundTrips = [50, 150, 300, 600, 1500];
export const losses = [0.5, 2, 5, 15];
export const gaps = [800, 1500, 3000];

/** What a page found out; numbers are null where they are not known. */
export interface Reached extends Record<Rung, Outcome> {
  secure: (typeof secures)[number];
  clock: Skew;
  /** Milliseconds. */
  roundTrip: number | null;
  /** Percent. */
  loss: number | null;
  /** Milliseconds, the longest between two pieces over HTTPS. */
  gap: number | null;
}

export const nothingYet: Reached = {
  secure: 'unknown', clock: 'unknown', roundTrip: null, loss: null, gap: null,
  udp: 'untried', tcp: 'untried', turn: 'untried', https: 'untried', socket: 'untried', events: 'untried',
};

/** Which of the steps between some edges a number lies in, from 1; 0 for none. */
function step(edges: readonly number[], value: number | null): number {
  return value === null ? 0 : 1 + edges.filter((edge) => value >= edge).length;
}

/** The code of a trial in a page, in two groups of five. */
export function codeOf(reached: Reached): string {
  const fields: [number, number][] = [
    [0, 1],
    [secures.indexOf(reached.secure), 2],
    // A page that runs was found by its name.
    [1, 2],
    [clocks.indexOf(reached.clock), 3],
    ...rungs.map((rung): [number, number] => [outcomes.indexOf(reached[rung]), 3]),
    [step(roundTrips, reached.roundTrip), 3],
    [step(losses, reached.loss), 3],
    [step(gaps, reached.gap), 3],
  ];
  const body = fields.reduce((number, [value, bits]) => (number << BigInt(bits)) | BigInt(value), version) << spare;
  const whole = (body << BigInt(checkBits)) | BigInt(check(body));
  const letters = Array.from({ length: 10 }, (_, at) => alphabet[Number((whole >> BigInt(5 * (9 - at))) & 31n)]).join('');
  return `${letters.slice(0, 5)}-${letters.slice(5)}`;
}

/** A CRC of ten bits over the forty before it. */
function check(body: bigint): number {
  const all = 2 ** checkBits - 1;
  let rest = all;
  for (let at = 39; at >= 0; at--) {
    const bit = Number((body >> BigInt(at)) & 1n) ^ (rest >> (checkBits - 1));
    rest = (rest << 1) & all;
    if (bit) rest ^= polynomial;
  }
  return rest;
}

export type Verdict = 'calls' | 'calls_tcp' | 'calls_turn' | 'web_both' | 'web' | 'text' | 'busy' | 'none';

/** What somebody here can do. */
export function verdictOf(reached: Reached): Verdict {
  if (reached.udp === 'works') return 'calls';
  if (reached.tcp === 'works') return 'calls_tcp';
  if (reached.turn === 'works') return 'calls_turn';
  // Where WebSockets are blocked people speak in pieces, by requests such as the page's own.
  if (reached.https === 'works') return ['untried', 'cannot'].includes(reached.socket) ? 'web' : 'web_both';
  if (reached.events === 'works') return 'text';
  return [reached.udp, reached.tcp, reached.https, reached.events].includes('refused') ? 'busy' : 'none';
}

/** How the device's clock stands by the server's: milliseconds ahead. */
export function skewOf(ahead: number): Skew {
  if (Math.abs(ahead) <= 5_000) return 'right';
  const far = Math.abs(ahead) > 300_000;
  return ahead > 0 ? (far ? 'far_ahead' : 'ahead') : far ? 'far_behind' : 'behind';
}
