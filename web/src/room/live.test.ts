// A room being lived in: what becomes of the microphone, with a sound that tests play.
import { beforeEach, expect, test, vi } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { OwnSeatSchema, Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { event, me, offer, view } from './fixtures.ts';

const microphone = { open: vi.fn(async () => true), granted: async () => true, enable: vi.fn(), close: vi.fn(), track: null };
class FakeSound {
  kind = 'audience';
  start = vi.fn(async (kind: string) => void (this.kind = kind));
  sendMicrophone = vi.fn(async () => undefined);
}

vi.mock('../lib/api.ts', () => ({ rooms: {}, callAndGo: () => undefined }));
vi.mock('../media/microphone.svelte.ts', () => ({ microphone }));
vi.mock('./sound.svelte.ts', () => ({ Sound: FakeSound }));
const { LiveRoom } = await import('./live.svelte.ts');

const onStage = create(OwnSeatSchema, { role: Role.SPEAKER, epoch: 4n });
const closing = event(9n, { case: 'offerClosed', value: { offer: offer(me) } });
let room: InstanceType<typeof LiveRoom>;

beforeEach(() => {
  vi.clearAllMocks();
  room = new LiveRoom('room00000001', '', me);
  room.view = view();
  room.take(event(8n, { case: 'stageOffered', value: { offer: offer(me) } }));
});

test('an offer that ends gives the microphone back', () => {
  room.take(closing);
  expect(microphone.close).toHaveBeenCalled();
});

test('who accepted keeps the microphone when the answer comes before the news of the offer', async () => {
  await room.climb(onStage, undefined);
  room.take(closing);
  expect(microphone.close).not.toHaveBeenCalled();
});

test('who accepted keeps the microphone when the news of the offer comes before the answer', async () => {
  room.moving = true;
  room.take(closing);
  room.moving = false;
  await room.climb(onStage, undefined);
  expect(microphone.close).not.toHaveBeenCalled();
});
