// What a refusal says of the seat.
import { Ending } from '../gen/majlis/contract/v1/options_pb.ts';
import { endingOf } from '../lib/reasons.ts';
import type { Gone } from './reducer.ts';

/** One that says nothing of it leaves the way back open. */
export function whyGone(reason: string): Gone {
  switch (endingOf(reason)) {
    case Ending.REMOVAL:
      return 'removed';
    case Ending.TAKEOVER:
      return 'taken_over';
    case Ending.ROOM:
      return 'ended';
    default:
      return 'left';
  }
}
