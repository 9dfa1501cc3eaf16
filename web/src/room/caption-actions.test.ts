// Writing captions and looking after those who do: the call that is made, and what becomes of one that is refused.
import { Code } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { beforeEach, expect, test } from 'vitest';
import { CaptionSchema } from '../gen/majlis/room_directory/v1/caption_pb.ts';
import { CaptionService } from '../gen/majlis/room_directory/v1/caption_service_pb.ts';
import { reasonOf } from '../lib/refusal.ts';
import { FakeToasts } from '../testing/room.ts';
import { fakeClient, refusedWith } from '../testing/server.ts';
import { CaptionActions } from './caption-actions.ts';
import { person } from './fixtures.ts';
import type { LiveRoom } from './live.svelte.ts';

const room = { id: 'room00000001' } as LiveRoom;
const vera = person('vera00000001');
const caption = create(CaptionSchema, { language: 'ar', writerId: 'vera00000001', captionId: 'c1', text: 'one' });
let asked: string[];
let toasts: FakeToasts;
let refusal: Error | null;
let actions: CaptionActions;

beforeEach(() => {
  [asked, toasts, refusal] = [[], new FakeToasts(), null];
  const note = (...words: (string | boolean)[]): Record<string, never> => {
    asked.push(words.join(' '));
    if (refusal) throw refusal;
    return {};
  };
  const captions = fakeClient(CaptionService, {
    sendCaption: ({ roomId, language, captionId, text, final }) => note('send', roomId, language, captionId, text, final),
    correctCaption: ({ language, writerId, captionId, text }) => note('correct', language, writerId, captionId, text),
    hideCaption: ({ language, writerId, captionId }) => note('hide', language, writerId, captionId),
    grantCaptioning: ({ userId, language }) => note('grant', userId, language),
    revokeCaptioning: ({ userId, language }) => note('revoke', userId, language),
    muteCaptioner: ({ userId, muted }) => note('mute', userId, muted),
  });
  actions = new CaptionActions({ api: { captions }, toasts });
});

test('what is typed goes out as it grows and as it stays', async () => {
  expect(await actions.write(room, 'ar', 'c1', 'Good eve', false)).toBe(true);
  expect(await actions.write(room, 'ar', 'c1', 'Good evening', true)).toBe(true);
  expect(asked).toEqual(['send room00000001 ar c1 Good eve false', 'send room00000001 ar c1 Good evening true']);
});

test('a refused half is let go in silence, a refused line is told, and neither passes for written', async () => {
  refusal = refusedWith(Code.PermissionDenied, 'CAPTIONER_MUTED');
  expect(await actions.write(room, 'ar', 'c1', 'Good eve', false)).toBe(false);
  expect(toasts.refused).toEqual([]);
  expect(await actions.write(room, 'ar', 'c1', 'Good evening', true)).toBe(false);
  expect(toasts.refused.map(reasonOf)).toEqual(['CAPTIONER_MUTED']);
});

test('a caption is corrected and removed by the name that its writer gave it', async () => {
  expect(await actions.correct(room, caption, 'two')).toBe(true);
  await actions.hide(room, caption);
  expect(asked).toEqual(['correct ar vera00000001 c1 two', 'hide ar vera00000001 c1']);
  refusal = refusedWith(Code.NotFound, 'CAPTION_UNKNOWN');
  expect(await actions.correct(room, caption, 'three')).toBe(false);
});

test('moderators let somebody write, stop them for a while, let them go on, and take it back', async () => {
  await actions.let(room, vera, 'ar');
  await actions.mute(room, vera, true);
  await actions.mute(room, vera, false);
  await actions.stop(room, vera, 'ar');
  expect(asked).toEqual(['grant vera00000001 ar', 'mute vera00000001 true', 'mute vera00000001 false', 'revoke vera00000001 ar']);
});
