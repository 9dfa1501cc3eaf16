// The captions of one language as a stream: those of the last minutes, then each as it is written.
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { WatchCaptionsResponseSchema } from '../gen/majlis/gateway/v1/caption_stream_service_pb.ts';
import type { CaptionListener, CaptionStream } from './captions.svelte.ts';
import { SseFollower, type StreamParts } from './sse-follower.ts';

/** Follows the captions of a room and language until closed. */
export function followCaptions(room: string, language: string, listener: CaptionListener, parts: StreamParts): CaptionStream {
  let after = '';
  return new SseFollower(
    () => `/captions/${room}?language=${language}`,
    {
      after: () => after,
      connected: (up) => listener.connected(up),
      // What is said comes when somebody says it: silence means nothing.
      quiet: () => undefined,
      refused: () => listener.connected(false),
      message: ({ event, id, data }) => {
        if (event !== 'captions') return false;
        after = id || after;
        listener.told(fromJson(WatchCaptionsResponseSchema, JSON.parse(data) as JsonValue, { ignoreUnknownFields: true }));
        return true;
      },
    },
    parts,
  );
}
