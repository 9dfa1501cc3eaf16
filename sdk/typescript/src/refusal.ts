// Why the server refused, and what the contract says of that reason: what helps against it, and what is over with it.
import { getOption } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';

import { ErrorInfoSchema } from './gen/google/rpc/error_details_pb.js';
import { AuthErrorReasonSchema } from './gen/majlis/auth/v1/auth_errors_pb.js';
import { CommonErrorReasonSchema } from './gen/majlis/contract/v1/common_errors_pb.js';
import { Ending, type Refusal, refusal, Remedy } from './gen/majlis/contract/v1/options_pb.js';
import { GatewayErrorReasonSchema } from './gen/majlis/gateway/v1/gateway_errors_pb.js';
import { InviteErrorReasonSchema } from './gen/majlis/invite/v1/invite_errors_pb.js';
import { MediaRelayErrorReasonSchema } from './gen/majlis/media_relay/v1/media_relay_errors_pb.js';
import { RoomDirectoryErrorReasonSchema } from './gen/majlis/room_directory/v1/room_directory_errors_pb.js';

export { Ending, Remedy };

const domain = 'majlis';
const enums = [
  AuthErrorReasonSchema,
  CommonErrorReasonSchema,
  GatewayErrorReasonSchema,
  InviteErrorReasonSchema,
  MediaRelayErrorReasonSchema,
  RoomDirectoryErrorReasonSchema,
];
const refusals = new Map<string, Refusal>(enums.flatMap((reasons) => reasons.values.map((value) => [value.localName, getOption(value, refusal)] as const)));

/** The reason's word, such as ROOM_FULL; empty when the server gave none. */
export function reasonOf(error: unknown): string {
  return ConnectError.from(error).findDetails(ErrorInfoSchema).find((info) => info.domain === domain)?.reason ?? '';
}

/** A value that explains the refusal; empty when there is none by that name. */
export function valueOf(error: unknown, name: string): string {
  return ConnectError.from(error).findDetails(ErrorInfoSchema).find((info) => info.domain === domain)?.metadata[name] ?? '';
}

/** What the contract says of the reason; undefined without one that it has. */
export function refusalOf(error: unknown): Refusal | undefined {
  return refusals.get(reasonOf(error));
}

/** True when the same call may well succeed a little later without anybody doing anything. */
export function passes(error: unknown): boolean {
  const said = refusalOf(error);
  if (!said) return ConnectError.from(error).code === Code.Unavailable;
  return said.remedy === Remedy.WAIT || said.remedy === Remedy.WAIT_FOR_ROOM;
}
