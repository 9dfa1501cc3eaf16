// The way to the server: one Connect transport at this page's origin; an expired sign-in is renewed once and the call repeated.
import { Code, ConnectError, createClient, type Client, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { AccountService } from '../gen/majlis/auth/v1/account_service_pb.ts';
import { OperatorService } from '../gen/majlis/auth/v1/operator_service_pb.ts';
import { PersonalTokenService } from '../gen/majlis/auth/v1/personal_token_service_pb.ts';
import { SignInService } from '../gen/majlis/auth/v1/sign_in_service_pb.ts';
import { Ending, Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import { ServerService } from '../gen/majlis/gateway/v1/event_service_pb.ts';
import { DoorService } from '../gen/majlis/invite/v1/door_service_pb.ts';
import { InviteService } from '../gen/majlis/invite/v1/invite_service_pb.ts';
import { BoothService } from '../gen/majlis/room_directory/v1/booth_service_pb.ts';
import { CapacityService } from '../gen/majlis/room_directory/v1/capacity_service_pb.ts';
import { CaptionService } from '../gen/majlis/room_directory/v1/caption_service_pb.ts';
import { LadderService } from '../gen/majlis/room_directory/v1/ladder_service_pb.ts';
import { ModerationService } from '../gen/majlis/room_directory/v1/moderation_service_pb.ts';
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { endingOf, remedyOf } from './reasons.ts';
import { reasonOf } from './refusal.ts';

/** Header by which the gateway knows that tokens belong into cookies. */
const clientHeader = { 'X-Majlis-Client': 'web' } as const;
const deadline = 15_000;

/** A transport whose calls go through these. */
export type Way = (interceptors: Interceptor[]) => Transport;

/** To an origin, as Connect with JSON. */
export function wayTo(baseUrl: string): Way {
  return (interceptors) => createConnectTransport({ baseUrl, interceptors, useBinaryFormat: false, defaultTimeoutMs: deadline, jsonOptions: { ignoreUnknownFields: true } });
}

export class Api {
  readonly signIns: Client<typeof SignInService>;
  readonly accounts: Client<typeof AccountService>;
  readonly personalTokens: Client<typeof PersonalTokenService>;
  readonly operators: Client<typeof OperatorService>;
  readonly invite: Client<typeof InviteService>;
  readonly doors: Client<typeof DoorService>;
  readonly booths: Client<typeof BoothService>;
  readonly capacity: Client<typeof CapacityService>;
  readonly captions: Client<typeof CaptionService>;
  readonly ladder: Client<typeof LadderService>;
  readonly rooms: Client<typeof RoomService>;
  readonly stage: Client<typeof StageService>;
  readonly moderation: Client<typeof ModerationService>;
  readonly server: Client<typeof ServerService>;
  readonly #tokens: Client<typeof SignInService>;
  #renewing: Promise<boolean> | null = null;
  #onSignedOut: (refusal: unknown) => void = () => {};

  constructor(way: Way) {
    const plain = way([named]);
    const transport = way([this.#renewed, named]);
    this.signIns = createClient(SignInService, transport);
    this.accounts = createClient(AccountService, transport);
    this.personalTokens = createClient(PersonalTokenService, transport);
    this.operators = createClient(OperatorService, transport);
    this.invite = createClient(InviteService, transport);
    this.doors = createClient(DoorService, transport);
    this.booths = createClient(BoothService, transport);
    this.capacity = createClient(CapacityService, transport);
    this.captions = createClient(CaptionService, transport);
    this.ladder = createClient(LadderService, transport);
    this.rooms = createClient(RoomService, transport);
    this.stage = createClient(StageService, transport);
    this.moderation = createClient(ModerationService, transport);
    this.server = createClient(ServerService, plain);
    this.#tokens = createClient(SignInService, plain);
  }

  /** Tells the page once the sign-in is over for good, with the refusal when it was not simply ended: a suspension. */
  whenSignedOut(listener: (refusal: unknown) => void): void {
    this.#onSignedOut = listener;
  }

  readonly #renewed: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      if (!renewable(error) || (request.service.typeName === SignInService.typeName && !needsSignIn(request.method.name))) throw error;
      if (!(await this.renewSignIn())) throw error;
      return next(request);
    }
  };

  /** Trades the refresh cookie for a new pair, once for all callers who wait; false when the sign-in is over. */
  renewSignIn(): Promise<boolean> {
    this.#renewing ??= this.#tokens
      .refreshSession({})
      .then(() => true)
      .catch((error: unknown) => {
        if (error instanceof ConnectError && error.code === Code.Unauthenticated) {
          this.#onSignedOut(null);
          return false;
        }
        if (endingOf(reasonOf(error)) === Ending.SIGN_IN) this.#onSignedOut(error);
        throw error;
      })
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }
}

const named: Interceptor = (next) => (request) => {
  for (const [name, value] of Object.entries(clientHeader)) request.header.set(name, value);
  return next(request);
};

/** Whether a fresh token may help: the old one expired, or is from before the person was made an operator. */
function renewable(error: unknown): boolean {
  const reason = reasonOf(error);
  return remedyOf(reason) === Remedy.NEW_TOKEN || (!reason && error instanceof ConnectError && error.code === Code.Unauthenticated);
}

/** Sign-in calls themselves answer UNAUTHENTICATED with other meanings. */
function needsSignIn(method: string): boolean {
  return !/^(RefreshSession|.*SignIn|SetUpOwner)$/.test(method) || /^(ListSignIns|EndSignIn)$/.test(method);
}

/** Asks this origin for a path outside the calls, as the same client. */
export function ask(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  return fetch(path, { headers: { ...headers, ...clientHeader }, signal, credentials: 'same-origin', cache: 'no-store' });
}

/** A unary call that outlives the page: for the moment it is closed. Nothing waits for the answer. */
export function callAndGo(service: string, method: string, body: Record<string, unknown>): void {
  void fetch(`/${service}/${method}`, {
    method: 'POST',
    keepalive: true,
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'Connect-Protocol-Version': '1', ...clientHeader },
    body: JSON.stringify(body),
  }).catch(() => {
    // The page is going away: the server notices the silence by itself.
  });
}
