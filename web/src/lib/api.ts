// The way to the server: one Connect transport at this page's origin; an expired sign-in is renewed once and the call repeated.
import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { AuthService } from '../gen/majlis/auth/v1/auth_service_pb.ts';
import { Ending, Remedy } from '../gen/majlis/contract/v1/options_pb.ts';
import { ServerService } from '../gen/majlis/gateway/v1/event_service_pb.ts';
import { InviteService } from '../gen/majlis/invite/v1/invite_service_pb.ts';
import { ModerationService } from '../gen/majlis/room_directory/v1/moderation_service_pb.ts';
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { endingOf, remedyOf } from './reasons.ts';
import { reasonOf } from './refusal.ts';

/** Header by which the gateway knows that tokens belong into cookies. */
export const clientHeader = { 'X-Majlis-Client': 'web' } as const;
const deadline = 15_000;

let renewing: Promise<boolean> | null = null;
let onSignedOut: (refusal: unknown) => void = () => {};

/** Tells the page once the sign-in is over for good, with the refusal when it was not simply ended: a suspension. */
export function whenSignedOut(listener: (refusal: unknown) => void): void {
  onSignedOut = listener;
}

const named: Interceptor = (next) => (request) => {
  for (const [name, value] of Object.entries(clientHeader)) request.header.set(name, value);
  return next(request);
};

const renewed: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (!renewable(error) || request.service.typeName === AuthService.typeName && !needsSignIn(request.method.name)) throw error;
    if (!(await renewSignIn())) throw error;
    return next(request);
  }
};

/** Whether a fresh token may help: the old one expired, or is from before the person was made an operator. */
function renewable(error: unknown): boolean {
  const reason = reasonOf(error);
  return remedyOf(reason) === Remedy.NEW_TOKEN || (!reason && error instanceof ConnectError && error.code === Code.Unauthenticated);
}

/** Sign-in calls themselves answer UNAUTHENTICATED with other meanings. */
function needsSignIn(method: string): boolean {
  return !/^(RefreshSession|.*SignIn|SetUpOwner|ExchangePersonalToken)$/.test(method) || /^(ListSignIns|EndSignIn)$/.test(method);
}

const base = { baseUrl: location.origin, useBinaryFormat: false, defaultTimeoutMs: deadline, jsonOptions: { ignoreUnknownFields: true } };
const plain = createConnectTransport({ ...base, interceptors: [named] });
const transport = createConnectTransport({ ...base, interceptors: [renewed, named] });

export const auth = createClient(AuthService, transport);
export const invite = createClient(InviteService, transport);
export const rooms = createClient(RoomService, transport);
export const stage = createClient(StageService, transport);
export const moderation = createClient(ModerationService, transport);
export const server = createClient(ServerService, plain);
const tokens = createClient(AuthService, plain);

/** Trades the refresh cookie for a new pair, once for all callers who wait; false when the sign-in is over. */
export function renewSignIn(): Promise<boolean> {
  renewing ??= tokens
    .refreshSession({})
    .then(() => true)
    .catch((error: unknown) => {
      if (error instanceof ConnectError && error.code === Code.Unauthenticated) {
        onSignedOut(null);
        return false;
      }
      if (endingOf(reasonOf(error)) === Ending.SIGN_IN) onSignedOut(error);
      throw error;
    })
    .finally(() => {
      renewing = null;
    });
  return renewing;
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
