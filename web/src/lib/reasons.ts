// What the contracts say of each reason to refuse: what helps against it, and what is over with it.
import { getOption } from '@bufbuild/protobuf';
import { AuthErrorReasonSchema } from '../gen/majlis/auth/v1/auth_errors_pb.ts';
import { CommonErrorReasonSchema } from '../gen/majlis/contract/v1/common_errors_pb.ts';
import { Ending, Remedy, refusal, type Refusal } from '../gen/majlis/contract/v1/options_pb.ts';
import { GatewayErrorReasonSchema } from '../gen/majlis/gateway/v1/gateway_errors_pb.ts';
import { InviteErrorReasonSchema } from '../gen/majlis/invite/v1/invite_errors_pb.ts';
import { MediaRelayErrorReasonSchema } from '../gen/majlis/media_relay/v1/media_relay_errors_pb.ts';
import { RoomDirectoryErrorReasonSchema } from '../gen/majlis/room_directory/v1/room_directory_errors_pb.ts';

const enums = [
  AuthErrorReasonSchema,
  CommonErrorReasonSchema,
  GatewayErrorReasonSchema,
  InviteErrorReasonSchema,
  MediaRelayErrorReasonSchema,
  RoomDirectoryErrorReasonSchema,
];

/** By the reason's word, which is the same refusal in each contract that has it. */
const refusals = new Map<string, Refusal>(enums.flatMap((reasons) => reasons.values.map((value) => [value.localName, getOption(value, refusal)] as const)));

/** What helps against a refusal for this reason; nothing against one that no contract has. */
export function remedyOf(reason: string): Remedy {
  return refusals.get(reason)?.remedy ?? Remedy.UNSPECIFIED;
}

/** What is over with it. */
export function endingOf(reason: string): Ending {
  return refusals.get(reason)?.ending ?? Ending.UNSPECIFIED;
}

/** Whether it ends by itself: seats come free, relays come back, a limit fills up again. */
export function passesByItself(reason: string): boolean {
  return remedyOf(reason) === Remedy.WAIT || makesRoom(reason);
}

/** Whether there is only no room just now. */
export function makesRoom(reason: string): boolean {
  return remedyOf(reason) === Remedy.WAIT_FOR_ROOM;
}

/** Whether the person's time in the room is over, in whatever way. */
export function endsSeat(reason: string): boolean {
  return [Ending.SEAT, Ending.ROOM, Ending.REMOVAL, Ending.TAKEOVER].includes(endingOf(reason));
}
