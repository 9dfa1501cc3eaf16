// Why the server refused: the reason of google.rpc.ErrorInfo, found in whatever shape the answer has.
import { Code, ConnectError } from '@connectrpc/connect';
import type { Key } from '../i18n/i18n.svelte.ts';

/** Reasons that have a text of their own; any other falls back to a text by kind. */
const texts: Record<string, Key> = {
  OWNER_LINK_INVALID: 'refused.OWNER_LINK_INVALID',
  HANDLE_TAKEN: 'refused.HANDLE_TAKEN',
  HANDLE_INVALID: 'refused.HANDLE_INVALID',
  DISPLAY_NAME_INVALID: 'refused.DISPLAY_NAME_INVALID',
  DISPLAY_NAME_MISLEADING: 'refused.DISPLAY_NAME_MISLEADING',
  HANDLE_MISLEADING: 'refused.HANDLE_MISLEADING',
  PASSKEY_COPIED: 'refused.PASSKEY_COPIED',
  EMAIL_TAKEN: 'refused.EMAIL_TAKEN',
  CHALLENGE_INVALID: 'refused.CHALLENGE_INVALID',
  PASSKEY_INVALID: 'refused.PASSKEY_INVALID',
  ACCOUNT_NOT_FOUND: 'refused.ACCOUNT_NOT_FOUND',
  MAIL_UNAVAILABLE: 'refused.MAIL_UNAVAILABLE',
  CODE_WRONG: 'refused.CODE_WRONG',
  ACCOUNT_SUSPENDED: 'refused.ACCOUNT_SUSPENDED',
  LAST_WAY_IN: 'refused.LAST_WAY_IN',
  LAST_OPERATOR: 'refused.LAST_OPERATOR',
  TOO_MANY_TOKENS: 'refused.TOO_MANY_TOKENS',
  BIO_INVALID: 'refused.BIO_INVALID',
  RATE_LIMITED: 'refused.RATE_LIMITED',
  NOTHING_TO_TAKE_BACK: 'refused.NOTHING_TO_TAKE_BACK',
  INVITATION_INVALID: 'refused.INVITATION_INVALID',
  INVITATION_CLAIMED: 'refused.INVITATION_CLAIMED',
  INVITATION_SPENT: 'refused.INVITATION_SPENT',
  NO_INVITATIONS_LEFT: 'refused.NO_INVITATIONS_LEFT',
  ROOM_NOT_FOUND: 'refused.ROOM_NOT_FOUND',
  ROOM_ENDED: 'refused.ROOM_ENDED',
  ROOM_CLOSED: 'refused.ROOM_CLOSED',
  ROOM_FULL: 'refused.ROOM_FULL',
  REMOVED: 'refused.REMOVED',
  BLOCKED: 'refused.BLOCKED',
  NOT_ALLOWED: 'refused.NOT_ALLOWED',
  NOT_IN_ROOM: 'refused.NOT_IN_ROOM',
  NOT_ON_STAGE: 'refused.NOT_ON_STAGE',
  HANDS_OFF: 'refused.HANDS_OFF',
  TOO_MANY_HANDS: 'refused.TOO_MANY_HANDS',
  OFFER_GONE: 'refused.OFFER_GONE',
  STAGE_FULL: 'refused.STAGE_FULL',
  STAGE_CLOSED: 'refused.STAGE_CLOSED',
  LAST_MODERATOR: 'refused.LAST_MODERATOR',
  SEAT_TAKEN_OVER: 'refused.SEAT_TAKEN_OVER',
  NO_RELAY: 'refused.NO_RELAY',
  RELAY_FULL: 'refused.NO_RELAY',
  RELAY_BUSY: 'refused.NO_RELAY',
  RELAY_DRAINING: 'refused.NO_RELAY',
  TITLE_INVALID: 'refused.TITLE_INVALID',
  TOO_MANY_ROOMS: 'refused.TOO_MANY_ROOMS',
  PERSON_NOT_FOUND: 'refused.PERSON_NOT_FOUND',
  FIELD_INVALID: 'refused.FIELD_INVALID',
  STORAGE_UNAVAILABLE: 'refused.STORAGE_UNAVAILABLE',
};

/** The readable form of a detail of a refusal, by the name of its type. */
function detail(error: unknown, type: string): Record<string, unknown> {
  if (!(error instanceof ConnectError)) return {};
  for (const one of error.details) {
    if ('type' in one && one.type === type && 'debug' in one && one.debug && typeof one.debug === 'object') return one.debug as Record<string, unknown>;
  }
  return {};
}

/** A value that explains the refusal; empty when there is none by that name. */
export function valueOf(error: unknown, name: string): string {
  const value = (detail(error, 'google.rpc.ErrorInfo')['metadata'] as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

/** Milliseconds after which the server would hear the same call again; 0 when it does not say. */
export function retryAfter(error: unknown): number {
  return (Number.parseFloat(String(detail(error, 'google.rpc.RetryInfo')['retryDelay'])) || 0) * 1000;
}

/** The reason's word, without its enum's prefix; empty when there is none. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof ConnectError)) return error instanceof Refusal ? error.reason : '';
  for (const detail of error.details) {
    if (!('type' in detail) || detail.type !== 'google.rpc.ErrorInfo') continue;
    const debug: unknown = 'debug' in detail ? detail.debug : undefined;
    if (debug && typeof debug === 'object' && 'reason' in debug && typeof debug.reason === 'string') return word(debug.reason);
    if (detail.value instanceof Uint8Array) return word(firstString(detail.value));
  }
  return '';
}

function word(reason: string): string {
  return reason.replace(/^[A-Z_]+_ERROR_REASON_/, '');
}

/** Field 1 of a message, when it is a short string: ErrorInfo.reason. */
function firstString(bytes: Uint8Array): string {
  const length = bytes[1] ?? 0;
  return bytes[0] === 0x0a && length < 128 ? new TextDecoder().decode(bytes.subarray(2, 2 + length)) : '';
}

/** A refusal that did not come by an RPC: a media session or an event stream. */
export class Refusal extends Error {
  readonly reason: string;
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason || `status ${status}`);
    this.status = status;
    this.reason = word(reason);
  }
}

/** Refusals that end by themselves: seats come free, relays come back, a limit fills up again. */
const passing = new Set(['ROOM_FULL', 'NO_RELAY', 'RELAY_FULL', 'RELAY_BUSY', 'RELAY_DRAINING', 'PART_UNAVAILABLE', 'STORAGE_UNAVAILABLE', 'DRAINING', 'TOO_SLOW', 'CONFLICT', 'RATE_LIMITED']);

/**
 * What a refusal lets one hope for: no answer came at all; it passes by itself; a fault of the server, which may be gone
 * the next time; or an answer that stands until somebody changes something.
 */
export type Outlook = 'unreached' | 'passing' | 'fault' | 'final';

export function outlook(error: unknown): Outlook {
  const reason = reasonOf(error);
  if (passing.has(reason)) return 'passing';
  if (error instanceof Refusal) return error.status >= 500 ? 'fault' : 'final';
  if (!(error instanceof ConnectError)) return 'unreached';
  if (reason) return error.code === Code.Internal || error.code === Code.Unknown ? 'fault' : 'final';
  switch (error.code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
      return 'unreached';
    case Code.Unknown:
      // The client's word for a request that failed on its way; without a cause it is the server's for a fault.
      return error.cause instanceof Error ? 'unreached' : 'fault';
    case Code.ResourceExhausted:
    case Code.Aborted:
      return 'passing';
    case Code.Internal:
    case Code.DataLoss:
    case Code.Canceled:
      return 'fault';
    default:
      return 'final';
  }
}

/** True when the same request may well succeed a little later without anybody doing anything. */
export function passes(error: unknown): boolean {
  return ['unreached', 'passing'].includes(outlook(error));
}

/** The text that tells a person what happened and what to do. */
export function explain(error: unknown): Key {
  const text = texts[reasonOf(error)];
  if (text) return text;
  if (outlook(error) === 'unreached') return 'refused.offline';
  if (outlook(error) === 'passing') return reasonOf(error) ? 'refused.notReady' : 'refused.RATE_LIMITED';
  if (!(error instanceof ConnectError)) return 'refused.fault';
  switch (error.code) {
    case Code.Unauthenticated:
      return 'refused.signedOut';
    case Code.PermissionDenied:
      return 'refused.NOT_ALLOWED';
    case Code.InvalidArgument:
      return 'refused.FIELD_INVALID';
    case Code.NotFound:
      return 'refused.notFound';
    default:
      return 'refused.fault';
  }
}

/** The reason in an error body: a Connect error, a problem document (RFC 9457) or plain text. */
export async function reasonIn(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { reason?: unknown; details?: { debug?: { reason?: unknown } }[] };
    const reason = body.reason ?? body.details?.find((detail) => detail.debug?.reason)?.debug?.reason;
    return typeof reason === 'string' ? reason : '';
  } catch {
    return '';
  }
}
