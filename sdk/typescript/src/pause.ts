// Waiting as long as the server said, spread so that a crowd does not come back at once.
import { setTimeout as delay } from 'node:timers/promises';

import { ConnectError } from '@connectrpc/connect';

import { RetryInfoSchema } from './gen/google/rpc/error_details_pb.js';

const leastMs = 1_000;
const lostMs = 4_000;
const jitter = 0.2;
const firstRetryMs = 200;
const longestRetryMs = 5_000;

/** When trying again may help, by what the server said of it. */
export function retryMs(error: unknown): number {
  const told = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay;
  return told ? Number(told.seconds) * 1000 + told.nanos / 1e6 : lostMs;
}

/** Waits about so long, and a second at least; rejects at the signal. A time that the server has spread itself needs no more of it. */
export function pause(ms: number, signal?: AbortSignal, spread = jitter): Promise<void> {
  return delay(Math.max(leastMs, ms) * (1 - spread + 2 * spread * Math.random()), undefined, signal ? { signal } : {});
}

/** Waits longer after each failure, and no longer than until the signal. */
export async function backOff(failures: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(longestRetryMs, firstRetryMs * 2 ** failures);
  await delay(Math.random() * longest, undefined, { signal }).catch(() => undefined);
}
