// @vitest-environment happy-dom
// The small player: what matters most of the room, in one line, and what can be done from another page.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { HandSchema, Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { me, offer, seat, start, view } from '../room/fixtures.ts';
import type { RoomView } from '../room/reducer.ts';
import { Scene, type Shown } from '../testing/page.ts';
import MiniPlayer from './MiniPlayer.svelte';

let scene: Scene;
beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

function player(shown: RoomView): Shown {
  const room = scene.room(shown);
  scene.parts.player.room = room;
  return scene.show(MiniPlayer, { room, rooms: scene.rooms });
}

test('who listens reads how many are here, and leaves without a question', async () => {
  const page = player(view());
  expect(page.get('mini-line').textContent).toContain('4');
  expect([page.find('mute-toggle'), page.find('mini-hands')]).toEqual([null, null]);
  await page.press('mini-leave');
  expect(scene.parts.player.room).toBeNull();
});

test('who is on stage reads whether they are heard, and can mute from here', () => {
  const page = player(view({ role: Role.SPEAKER }, { stage: [seat(me)] }));
  expect(page.find('mute-toggle')?.dataset['heard']).toBe('unheard');
  scene.microphone.state = 'live';
  Object.assign(scene.sound, { kind: 'stage', state: 'on' });
  scene.microphone.held = true;
  expect(page.find('mute-toggle')?.dataset['heard']).toBe('muted');
});

test('who moderates sees the number of hands', () => {
  const shown = { ...view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)] }), hands: 12 };
  expect(player(shown).get('mini-hands').textContent).toContain('12');
});

test('who raised a hand sees from another page that it is up', () => {
  const hand = create(HandSchema, { expiresAt: timestampFromMs(start + 48_000) });
  expect(player(view({ hand, handPosition: 3 })).get('mini-line').textContent).toBe('Your hand is up');
});

test('who is invited to speak answers from the page they are on', async () => {
  const declined: string[] = [];
  await scene.strike();
  scene = new Scene(({ service }) => void service(StageService, { declineOffer: ({ offerId }) => (declined.push(offerId), {}) }));
  const open = offer(me);
  const page = player(view({ offer: open }, { offers: [open] }));
  await page.press('decline-offer');
  expect(declined).toEqual([open.offerId]);
});

test('a room that is over has no player', () => {
  expect(player({ ...view(), gone: 'ended' }).text).toBe('');
});
