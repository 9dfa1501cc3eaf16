// Why the server refused: the reason of google.rpc.ErrorInfo, found in whatever shape the answer has.
import { Code, ConnectError } from '@connectrpc/connect';
import type { Key } from '../i18n/i18n.svelte.ts';
import { makesRoom, passesByItself } from './reasons.ts';

/** Texts of single reasons; any other falls back to a text by kind. */
const texts = new Set<string>([
  'refused.OWNER_LINK_INVALID',
  'refused.HANDLE_TAKEN',
  'refused.HANDLE_INVALID',
  'refused.DISPLAY_NAME_INVALID',
  'refused.DISPLAY_NAME_MISLEADING',
  'refused.HANDLE_MISLEADING',
  'refused.PASSKEY_COPIED',
  'refused.EMAIL_TAKEN',
  'refused.CHALLENGE_INVALID',
  'refused.PASSKEY_INVALID',
  'refused.ACCOUNT_NOT_FOUND',
  'refused.MAIL_UNAVAILABLE',
  'refused.CODE_WRONG',
  'refused.ACCOUNT_SUSPENDED',
  'refused.LAST_WAY_IN',
  'refused.LAST_OPERATOR',
  'refused.TOO_MANY_TOKENS',
  'refused.BIO_INVALID',
  'refused.RATE_LIMITED',
  'refused.NOTHING_TO_TAKE_BACK',
  'refused.INVITATION_INVALID',
  'refused.INVITATION_CLAIMED',
  'refused.INVITATION_SPENT',
  'refused.NO_INVITATIONS_LEFT',
  'refused.DOORS_PACED',
  'refused.DOORS_PAUSED',
  'refused.ROOM_MOVES',
  'refused.CROWDED',
  'refused.LINE_FULL',
  'refused.LETTERS_SPENT',
  'refused.LETTERS_UNAVAILABLE',
  'refused.ROOM_NOT_FOUND',
  'refused.ROOM_ENDED',
  'refused.ROOM_CLOSED',
  'refused.ROOM_FULL',
  'refused.TICKET_ELSEWHERE',
  'refused.REMOVED',
  'refused.BLOCKED',
  'refused.NOT_ALLOWED',
  'refused.NOT_IN_ROOM',
  'refused.NOT_ON_STAGE',
  'refused.HANDS_OFF',
  'refused.TOO_MANY_HANDS',
  'refused.OFFER_GONE',
  'refused.STAGE_FULL',
  'refused.STAGE_CLOSED',
  'refused.WEB_NOT_ALLOWED',
  'refused.LAST_MODERATOR',
  'refused.SEAT_TAKEN_OVER',
  'refused.NO_RELAY',
  'refused.TITLE_INVALID',
  'refused.TOO_MANY_ROOMS',
  'refused.PERSON_NOT_FOUND',
  'refused.BOOTH_UNKNOWN',
  'refused.BOOTH_FULL',
  'refused.TOO_MANY_BOOTHS',
  'refused.LANGUAGE_INVALID',
  'refused.BOOTH_LOOP',
  'refused.LINE_INVALID',
  'refused.NOT_IN_BOOTH',
  'refused.SOUND_LOST',
  'refused.ALONE_IN_BOOTH',
  'refused.NOT_CAPTIONER',
  'refused.CAPTIONER_MUTED',
  'refused.TOO_MANY_CAPTIONERS',
  'refused.TOO_MANY_LANGUAGES',
  'refused.CAPTION_FINAL',
  'refused.CAPTION_UNKNOWN',
  'refused.FIELD_INVALID',
  'refused.STORAGE_UNAVAILABLE',
  'refused.LINE_INVALID',
] satisfies Key[]);

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

/**
 * What a refusal lets one hope for: no answer came at all; it passes by itself; a fault of the server, which may be gone
 * the next time; or an answer that stands until somebody changes something.
 */
export type Outlook = 'unreached' | 'passing' | 'fault' | 'final';

export function outlook(error: unknown): Outlook {
  const reason = reasonOf(error);
  if (passesByItself(reason)) return 'passing';
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

/** Relays that are going or busy with people who come in have room, or others do, in a moment. */
const moments = new Set(['RELAY_BUSY', 'RELAY_DRAINING']);

/** True when room is what is missing: not where relays are away, going or busy. */
export function lacksRoom(error: unknown): boolean {
  const reason = reasonOf(error);
  return makesRoom(reason) && !moments.has(reason) && valueOf(error, 'relays') !== 'away';
}

/** The text that tells a person what happened and what to do. */
export function explain(error: unknown): Key {
  const reason = reasonOf(error);
  const text = `refused.${reason}`;
  if (makesRoom(reason) && !lacksRoom(error)) return 'refused.notReady';
  if (texts.has(text)) return text as Key;
  if (makesRoom(reason)) return 'refused.NO_RELAY';
  if (outlook(error) === 'unreached') return 'refused.offline';
  if (outlook(error) === 'passing') return reason ? 'refused.notReady' : 'refused.RATE_LIMITED';
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
