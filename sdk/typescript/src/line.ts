// Taking a seat in a room: at once, or after a wait in the line before it.
import type { Client } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';

import type { Place } from './gen/majlis/room_directory/v1/room_pb.js';
import type { JoinRoomRequestSchema, JoinRoomResponse, RoomService } from './gen/majlis/room_directory/v1/room_service_pb.js';
import { pause, retryMs } from './pause.js';
import { passes, reasonOf, valueOf } from './refusal.js';

const leaveMs = 2_000;
/** About ten minutes without an answer that says anything: the place is gone by then. */
const mostFailures = 100;

export interface Joining {
  /** Hears of the place whenever the server tells it; who does not listen to places is refused where there is no seat. */
  onPlace?: (place: Place) => void;
  /** Gives up, and the place in the line with it. */
  signal?: AbortSignal;
}

/**
 * Takes a seat, and waits in line for one where there is none. A connection that is lost meanwhile costs no place: the
 * server keeps it for some minutes. Throws where no wait helps: the room is over, another device waits in this place, …
 */
export async function join(
  client: { rooms: Pick<Client<typeof RoomService>, 'joinRoom' | 'leaveLine'> },
  request: MessageInitShape<typeof JoinRoomRequestSchema>,
  { onPlace, signal }: Joining = {},
): Promise<JoinRoomResponse> {
  const { rooms } = client;
  if (!onPlace) return rooms.joinRoom(request, signal ? { signal } : {});
  let ticket = request.ticket ?? '';
  let slip = '';
  let failures = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      let answer: JoinRoomResponse;
      try {
        // Not broken off by the signal: a seat or place that is given meanwhile has to be known to be given back.
        answer = await rooms.joinRoom({ ...request, mayWait: true, ticket, slip });
      } catch (error) {
        // Whoever was sent away for now counts from their first try.
        slip = valueOf(error, 'slip') || slip;
        if (reasonOf(error) === 'TICKET_INVALID' && ticket) {
          // Kept for too long without a word: whoever knocks without one is a newcomer.
          ticket = '';
          continue;
        }
        const crowded = reasonOf(error) === 'CROWDED';
        if (!(ticket || crowded) || !passes(error) || ++failures >= mostFailures) throw error;
        await pause(retryMs(error), signal, crowded ? 0 : undefined);
        continue;
      }
      const { place } = answer;
      if (!place) return answer;
      failures = 0;
      slip = '';
      ticket = place.ticket;
      onPlace(place);
      if (!place.offered) await pause(millisecondsOf(place), signal);
    }
  } catch (error) {
    if (signal?.aborted && ticket) await rooms.leaveLine({ roomId: request.roomId ?? '', ticket }, { timeoutMs: leaveMs }).catch(() => undefined);
    throw error;
  }
}

function millisecondsOf({ knockAfter }: Place): number {
  return knockAfter ? Number(knockAfter.seconds) * 1000 + knockAfter.nanos / 1e6 : 0;
}
