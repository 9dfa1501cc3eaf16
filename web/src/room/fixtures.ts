// People, seats and rooms for tests.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { ProfileSchema, type Profile } from '../gen/majlis/auth/v1/account_pb.ts';
import { RoomEventSchema, type RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import { HandMode, OwnSeatSchema, Role, RoomSchema, RoomSnapshotSchema, RoomState, StageOfferSchema, StageSeatSchema, type RoomSnapshot, type StageOffer, type StageSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { begin, type RoomView } from './reducer.ts';

export const me = 'sami00000001';
export const start = Date.UTC(2026, 0, 1);

export function person(userId: string): Profile {
  return create(ProfileSchema, { userId, displayName: userId.replace(/\d+$/, ''), handle: userId });
}

export function seat(userId: string, role = Role.SPEAKER, more: MessageInitShape<typeof StageSeatSchema> = {}): StageSeat {
  const base = create(StageSeatSchema, { person: person(userId), role, member: userId.length, connected: true, since: timestampFromMs(start) });
  return Object.assign(base, more);
}

export function snapshot(more: MessageInitShape<typeof RoomSnapshotSchema> = {}): RoomSnapshot {
  const room = create(RoomSchema, { roomId: 'room00000001', title: 'Talk', state: RoomState.LIVE, handMode: HandMode.EVERYONE, listenerCount: 3 });
  return Object.assign(create(RoomSnapshotSchema, { room, stage: [seat('lina00000001', Role.MODERATOR)], revision: 7n }), more);
}

export function view(own: MessageInitShape<typeof OwnSeatSchema> = {}, more: MessageInitShape<typeof RoomSnapshotSchema> = {}): RoomView {
  return begin(snapshot(more), Object.assign(create(OwnSeatSchema, { role: Role.LISTENER, epoch: 3n }), own), me);
}

export function offer(userId: string): StageOffer {
  return create(StageOfferSchema, { offerId: `offer${userId}`, userId, byUserId: 'lina00000001', expiresAt: timestampFromMs(start + 30_000) });
}

/** An event at a revision, from the plain value of its oneof. */
export function event(revision: bigint, fact: { case: string; value: Record<string, unknown> }): RoomEvent {
  return create(RoomEventSchema, { revision, event: fact } as Parameters<typeof create<typeof RoomEventSchema>>[1]);
}
