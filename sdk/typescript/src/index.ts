// Client of a Majlis server: typed clients of its public services over native gRPC, and a room's events as an iterator.
import { randomBytes } from 'node:crypto';

import { type Client, type Interceptor, type Transport, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';

import { AccountService } from './gen/majlis/auth/v1/account_service_pb.js';
import { OperatorService } from './gen/majlis/auth/v1/operator_service_pb.js';
import { PersonalTokenService } from './gen/majlis/auth/v1/personal_token_service_pb.js';
import { SignInService } from './gen/majlis/auth/v1/sign_in_service_pb.js';
import { CaptionStreamService } from './gen/majlis/gateway/v1/caption_stream_service_pb.js';
import { EventService, ServerService } from './gen/majlis/gateway/v1/event_service_pb.js';
import { DoorService } from './gen/majlis/invite/v1/door_service_pb.js';
import { InviteService } from './gen/majlis/invite/v1/invite_service_pb.js';
import { CapacityService } from './gen/majlis/room_directory/v1/capacity_service_pb.js';
import { CaptionService } from './gen/majlis/room_directory/v1/caption_service_pb.js';
import { LadderService } from './gen/majlis/room_directory/v1/ladder_service_pb.js';
import { BoothService } from './gen/majlis/room_directory/v1/booth_service_pb.js';
import { ModerationService } from './gen/majlis/room_directory/v1/moderation_service_pb.js';
import { RoomService } from './gen/majlis/room_directory/v1/room_service_pb.js';
import { StageService } from './gen/majlis/room_directory/v1/stage_service_pb.js';
import type { RoomEvent } from './gen/majlis/room_directory/v1/room_events_pb.js';
import { type CaptionTold, CaptionWriter, type Words, sendCaption, watchCaptions } from './captions.js';
import { backOff } from './pause.js';
import { passes } from './refusal.js';

export * as account from './gen/majlis/auth/v1/account_pb.js';
export * as accounts from './gen/majlis/auth/v1/account_service_pb.js';
export * as doors from './gen/majlis/invite/v1/door_service_pb.js';
export * as invitations from './gen/majlis/invite/v1/invitation_pb.js';
export * as invite from './gen/majlis/invite/v1/invite_service_pb.js';
export * as capacity from './gen/majlis/room_directory/v1/capacity_service_pb.js';
export * as ladder from './gen/majlis/room_directory/v1/ladder_service_pb.js';
export * as booths from './gen/majlis/room_directory/v1/booth_service_pb.js';
export * as captions from './gen/majlis/room_directory/v1/caption_pb.js';
export * as moderation from './gen/majlis/room_directory/v1/moderation_service_pb.js';
export * as operators from './gen/majlis/auth/v1/operator_service_pb.js';
export * as personalTokens from './gen/majlis/auth/v1/personal_token_service_pb.js';
export * as booth from './gen/majlis/room_directory/v1/booth_pb.js';
export * as boothEvents from './gen/majlis/room_directory/v1/booth_events_pb.js';
export * as events from './gen/majlis/room_directory/v1/room_events_pb.js';
export * as room from './gen/majlis/room_directory/v1/room_pb.js';
export * as rooms from './gen/majlis/room_directory/v1/room_service_pb.js';
export * as signIns from './gen/majlis/auth/v1/sign_in_service_pb.js';
export * as stage from './gen/majlis/room_directory/v1/stage_service_pb.js';
export { type CaptionTold, CaptionWriter, type Said, type Words } from './captions.js';
export { Ending, passes, reasonOf, refusalOf, Remedy } from './refusal.js';
export type { RoomEvent };
export { Hands } from './hands.js';
export { join, type Joining } from './line.js';
export { redeem, type Redeeming } from './redeeming.js';

/** Every unary call ends by then. */
const deadlineMs = 10_000;

export interface Options {
  /** Origin people open, for example https://hall.example. */
  url: string;
  /** An access token, or a personal access token (mjp_…); left out for a client that only reads public answers. */
  token?: string;
}

export interface MajlisClient {
  readonly signIns: Client<typeof SignInService>;
  readonly accounts: Client<typeof AccountService>;
  readonly personalTokens: Client<typeof PersonalTokenService>;
  readonly operators: Client<typeof OperatorService>;
  readonly invites: Client<typeof InviteService>;
  readonly doors: Client<typeof DoorService>;
  readonly rooms: Client<typeof RoomService>;
  readonly stage: Client<typeof StageService>;
  readonly booths: Client<typeof BoothService>;
  readonly captions: Client<typeof CaptionService>;
  readonly captionStreams: Client<typeof CaptionStreamService>;
  readonly moderation: Client<typeof ModerationService>;
  readonly capacity: Client<typeof CapacityService>;
  readonly ladder: Client<typeof LadderService>;
  readonly events: Client<typeof EventService>;
  readonly server: Client<typeof ServerService>;
  /**
   * Events of a room after a revision, such as that of `joinRoom`'s snapshot; resumes by itself when the connection breaks.
   * Leaving the loop, or the signal, ends it. What comes before a `streamStatus` had happened before the stream was opened; nothing comes twice.
   * Its `sparing` names the room's relays that spare their listeners something while they have much to do.
   */
  watch(roomId: string, afterRevision?: bigint, signal?: AbortSignal): AsyncGenerator<RoomEvent>;
  /**
   * What is said in a room as text: the last ten minutes, then each caption that is new, changed, corrected or hidden; one with the
   * same writer and id takes the place of the one before. Resumes by itself, and nothing comes twice. `language` is a BCP 47 primary
   * tag, or `floor` for what is said there.
   */
  watchCaptions(roomId: string, language: string, signal?: AbortSignal): AsyncGenerator<CaptionTold>;
  /** Writes a caption, or with the id of one that is not final changes it; for whom moderators let. Answers with its id. */
  sendCaption(roomId: string, language: string, words: Words): Promise<string>;
  /** Writes the captions of one language, with interims, at the pace the server allows. */
  captionWriter(roomId: string, language: string, roomKey?: string): CaptionWriter;
}

/** Finds the server's native gRPC port and makes a client of it. Throws when there is no Majlis server at the address. */
export async function connect(options: Options): Promise<MajlisClient> {
  const base = grpcBase(options.url, await discover(options.url));
  const transport = createGrpcTransport({
    baseUrl: base,
    defaultTimeoutMs: deadlineMs,
    interceptors: options.token ? [bearer(options.token)] : [],
  });
  return clientOf(transport);
}

/** 128 random bits as the request_id of calls that take one. */
export function requestId(): string {
  return randomBytes(16).toString('hex');
}

async function discover(url: string): Promise<string> {
  const answer = await fetch(new URL('/.well-known/majlis.json', url), { signal: AbortSignal.timeout(deadlineMs) });
  const found: unknown = answer.ok ? await answer.json() : null;
  if (typeof found === 'object' && found !== null && 'grpc' in found && typeof found.grpc === 'string' && found.grpc) return found.grpc;
  throw new Error(`${url} is no Majlis server with an open gRPC port`);
}

function grpcBase(url: string, address: string): string {
  return `${new URL(url).protocol}//${address}`;
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
}

function clientOf(transport: Transport): MajlisClient {
  const events = createClient(EventService, transport);
  const captions = createClient(CaptionService, transport);
  const captionStreams = createClient(CaptionStreamService, transport);
  const rooms = createClient(RoomService, transport);
  return {
    signIns: createClient(SignInService, transport),
    accounts: createClient(AccountService, transport),
    personalTokens: createClient(PersonalTokenService, transport),
    operators: createClient(OperatorService, transport),
    invites: createClient(InviteService, transport),
    doors: createClient(DoorService, transport),
    rooms,
    stage: createClient(StageService, transport),
    booths: createClient(BoothService, transport),
    captions,
    captionStreams,
    moderation: createClient(ModerationService, transport),
    capacity: createClient(CapacityService, transport),
    ladder: createClient(LadderService, transport),
    server: createClient(ServerService, transport),
    events,
    watch: (roomId, afterRevision = 0n, signal) => watch(events, roomId, afterRevision, signal),
    watchCaptions: (roomId, language, signal) => watchCaptions(captionStreams, roomId, language, signal),
    sendCaption: (roomId, language, words) => sendCaption(captions, roomId, language, words),
    captionWriter: (roomId, language, roomKey = '') =>
      new CaptionWriter(
        (words) => sendCaption(captions, roomId, language, words),
        () => rooms.joinRoom({ roomId, roomKey, withoutPermit: true }),
      ),
  };
}

async function* watch(events: Client<typeof EventService>, roomId: string, after: bigint, signal?: AbortSignal): AsyncGenerator<RoomEvent> {
  let seen = after;
  let failures = 0;
  // Leaving the loop early ends the iterator, but not the call below it: an open stream would keep the process from ending.
  const left = new AbortController();
  const ended = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
  try {
    while (!ended.aborted) {
      try {
        // A stream outlives the deadline of ordinary calls.
        for await (const { event } of events.watch({ roomId, afterRevision: seen }, { timeoutMs: 0, signal: ended })) {
          failures = 0;
          if (!event || isKnown(event, seen)) continue;
          if (isNews(event)) seen = event.revision;
          yield event;
        }
        return;
      } catch (error) {
        if (ended.aborted) return;
        if (!passes(error)) throw error;
        await backOff(failures++, ended);
      }
    }
  } finally {
    left.abort();
  }
}

const noNews = new Set<RoomEvent['event']['case']>(['pulse', 'streamStatus', 'handQueue', 'handRaised', 'handLowered', 'ownHand', 'boothSignalled', 'inputQuality', 'listenerRungs', 'speakers']);

/** Whether an event brings its reader to its revision; counts, the stream's status, hands and signs only repeat one. */
function isNews({ event }: RoomEvent): boolean {
  return !noNews.has(event.case);
}

/** Whether a reader who is at a revision has the event: a stream goes back only where the room itself did. */
function isKnown(event: RoomEvent, seen: bigint): boolean {
  return isNews(event) && event.revision <= seen && !event.rewound;
}
