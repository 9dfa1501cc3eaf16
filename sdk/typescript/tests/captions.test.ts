// Captions through the SDK: written with a name, watched over breaks without a repetition, ended where the room ends.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, createRouterTransport, type Client } from '@connectrpc/connect';
import { beforeEach, expect, test, vi } from 'vitest';

import { sendCaption, watchCaptions, type CaptionTold } from '../src/captions.js';
import { ErrorInfoSchema } from '../src/gen/google/rpc/error_details_pb.js';
import { CaptionStreamService, WatchCaptionsResponseSchema, type WatchCaptionsResponse } from '../src/gen/majlis/gateway/v1/caption_stream_service_pb.js';
import { CaptionSchema, type Caption } from '../src/gen/majlis/room_directory/v1/caption_pb.js';
import { CaptionService, type SendCaptionRequest } from '../src/gen/majlis/room_directory/v1/caption_service_pb.js';

const room = 'room00000001';
// Waits between tries are a share of their longest by chance: none here.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0));

function refused(code: Code, reason: string): ConnectError {
  return new ConnectError('no', code, undefined, [{ desc: ErrorInfoSchema, value: { domain: 'majlis', reason } }]);
}

const caption = (captionId: string, text: string, changed: number, more: { hidden?: boolean } = {}): Caption =>
  create(CaptionSchema, { captionId, writerId: 'vera00000001', text, changedAt: timestampFromMs(changed), ...more });

/** A stream that says something each time it is opened, and then ends as it is told to: with an error, or as its gateway does. */
function server(...turns: { says: [boolean, ...Caption[]][]; ends?: ConnectError }[]): Client<typeof CaptionStreamService> {
  const transport = createRouterTransport(({ service }) =>
    service(CaptionStreamService, {
      async *watchCaptions(): AsyncGenerator<WatchCaptionsResponse> {
        const turn = turns.shift();
        if (!turn) throw refused(Code.FailedPrecondition, 'ROOM_ENDED');
        for (const [past, ...captions] of turn.says) yield create(WatchCaptionsResponseSchema, { past, captions });
        if (turn.ends) throw turn.ends;
      },
    }),
  );
  return createClient(CaptionStreamService, transport);
}

async function read(client: Client<typeof CaptionStreamService>): Promise<string[]> {
  const told: string[] = [];
  for await (const { caption: one, past } of watchCaptions(client, room, 'ar')) told.push(`${past ? 'past ' : ''}${one.text || 'taken out'}`);
  return told;
}

test('what was said before is past, what comes after a break is news, and nothing is told twice', async () => {
  const client = server(
    { says: [[true, caption('a', 'one', 1_000)], [false, caption('b', 'tw', 2_000)]], ends: new ConnectError('gone', Code.Unavailable) },
    { says: [[true, caption('a', 'one', 1_000), caption('b', 'two', 3_000), caption('c', 'three', 4_000)]] },
  );
  expect(await read(client)).toEqual(['past one', 'tw', 'two', 'three']);
});

test('what is taken out is told to who has seen it, and to nobody else', async () => {
  const client = server({ says: [[true, caption('a', 'one', 1_000), caption('b', '', 2_000, { hidden: true })], [false, caption('a', '', 3_000, { hidden: true })]] });
  expect(await read(client)).toEqual(['past one', 'taken out']);
});

test('a refusal that does not pass is the caller’s to know', async () => {
  const client = server({ says: [], ends: refused(Code.NotFound, 'ROOM_NOT_FOUND') });
  await expect(read(client)).rejects.toThrow('no');
});

test('who stops reading ends the stream', async () => {
  const left = new AbortController();
  const told: CaptionTold[] = [];
  for await (const one of watchCaptions(server({ says: [[false, caption('a', 'one', 1_000), caption('b', 'two', 2_000)]] }), room, 'ar', left.signal)) {
    told.push(one);
    left.abort();
  }
  expect(told.length).toBeGreaterThan(0);
  for await (const one of watchCaptions(server({ says: [[false, caption('c', 'three', 3_000)]] }), room, 'ar', left.signal)) told.push(one);
  expect(told.some(({ caption: one }) => one.text === 'three')).toBe(false);
});

test('a line has a name by which it is changed: its own, or the one it was given', async () => {
  const sent: SendCaptionRequest[] = [];
  const transport = createRouterTransport(({ service }) => service(CaptionService, { sendCaption: (request) => (sent.push(request), {}) }));
  const client = createClient(CaptionService, transport);
  const name = await sendCaption(client, room, 'ar', { text: 'Good eve', final: false });
  expect(name).toMatch(/^[\w-]{12}$/);
  expect(await sendCaption(client, room, 'ar', { text: 'Good evening', captionId: name, speaker: 'lina00000001', spokenAt: new Date(5_000) })).toBe(name);
  expect(sent.map(({ captionId, final, text }) => [captionId === name, final, text])).toEqual([[true, false, 'Good eve'], [true, true, 'Good evening']]);
  expect([sent[1]?.speakerUserId, sent[1]?.spokenAt?.seconds, sent[0]?.spokenAt]).toEqual(['lina00000001', 5n, undefined]);
});
