// What a message of the event stream means. Pure.
import { create, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { RoomEventSchema, type RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import type { SseMessage } from './sse.ts';

/** The event a message carries; of a newer server's kinds of event only the revision; undefined for what is no event of a room. */
export function decodeEvent(message: SseMessage): RoomEvent | undefined {
  const name = message.event.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
  const data = JSON.parse(message.data) as Record<string, JsonValue>;
  if (!RoomEventSchema.fields.some((field) => field.localName === name)) {
    return typeof data.revision === 'string' ? create(RoomEventSchema, { revision: BigInt(data.revision) }) : undefined;
  }
  // The whole RoomEvent, or only what happened with the revision in the message's id.
  const whole = name in data || message.event in data ? data : { [name]: data, revision: message.id || '0' };
  return fromJson(RoomEventSchema, whole, { ignoreUnknownFields: true });
}
