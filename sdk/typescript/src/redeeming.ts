// Coming in by an invitation: at once, or after a wait in the line before the doors.
import type { Client } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';

import type { DoorService } from './gen/majlis/invite/v1/door_service_pb.js';
import type { Place } from './gen/majlis/invite/v1/doors_pb.js';
import type { InviteService, RedeemInvitationRequestSchema, RedeemInvitationResponse } from './gen/majlis/invite/v1/invite_service_pb.js';
import { pause, retryMs } from './pause.js';
import { passes, reasonOf } from './refusal.js';

const waits = new Set(['DOORS_PACED', 'DOORS_PAUSED', 'LINE_FULL']);
const leaveMs = 2_000;
/** After these only redeeming tells how it stands: this very redemption may have spent the code. */
const unclear = new Set(['INVITATION_INVALID', 'INVITATION_CLAIMED', 'NOT_IN_LINE']);

export interface Redeeming {
  /** Hears of each place in the line. */
  onPlace?: (place: Place) => void;
  /** Where it waits: gets one e-mail when it is the turn, should nobody wait any more by then. */
  email?: string;
  /** Gives up, and the place in the line with it; with an e-mail address left, or `keepPlace`, that is kept. */
  signal?: AbortSignal;
  /** Keeps the place for whoever comes back with the code within a day. */
  keepPlace?: boolean;
}

/** Redeems an invitation, and waits for its turn where newcomers come in one after another. */
export async function redeem(
  client: { invites: Client<typeof InviteService>; doors: Client<typeof DoorService> },
  request: MessageInitShape<typeof RedeemInvitationRequestSchema>,
  { onPlace, email, signal, keepPlace = false }: Redeeming = {},
): Promise<RedeemInvitationResponse> {
  const place = { code: request.code ?? '', requestId: request.requestId ?? '' };
  let held = false;
  let kept = keepPlace;
  try {
    for (;;) {
      try {
        return await client.invites.redeemInvitation(request);
      } catch (error) {
        const reason = reasonOf(error);
        if (!waits.has(reason)) throw error;
        held = reason !== 'LINE_FULL';
        if (email && held) {
          await client.doors.setTurnLetter({ code: place.code, email, locale: request.profile?.locale ?? '' });
          email = undefined;
          kept = true;
        }
        await pause(retryMs(error), signal);
        if (held) await turn(client.doors, place, onPlace, signal);
      }
    }
  } catch (error) {
    if (signal?.aborted && held && !kept) await client.doors.leaveLine(place, { timeoutMs: leaveMs }).catch(() => undefined);
    throw error;
  }
}

async function turn(doors: Client<typeof DoorService>, look: { code: string; requestId: string }, onPlace?: (place: Place) => void, signal?: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const { place } = await doors.getPlace(look);
      if (!place || place.turn) return;
      onPlace?.(place);
      await pause(place.lookSeconds * 1000, signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      if (unclear.has(reasonOf(error))) return;
      if (!passes(error)) throw error;
      await pause(retryMs(error), signal);
    }
  }
}
