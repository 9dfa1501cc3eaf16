// @vitest-environment happy-dom
// The own microphone: whether one is heard, said in words, and what a press does.
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import en from '../i18n/en.json';
import { BoothSchema } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import { Role, RoomState, RoomSchema } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { create } from '@bufbuild/protobuf';
import { StageService } from '../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { me, seat, view } from '../room/fixtures.ts';
import { Scene, type Shown } from '../testing/page.ts';
import { refusedWith } from '../testing/server.ts';
import MicButton from './MicButton.svelte';

let scene: Scene;
let told: boolean[];
let refuses: boolean;

beforeEach(() => {
  told = [];
  refuses = false;
  scene = new Scene(({ service }) =>
    service(StageService, {
      setOwnMute: ({ muted }) => {
        told.push(muted);
        if (refuses) throw refusedWith(Code.FailedPrecondition, 'NOT_ON_STAGE');
        return {};
      },
    }),
  );
  scene.sound.kind = 'stage';
  Object.assign(scene.sound, { state: 'on' });
  scene.microphone.state = 'live';
});
afterEach(() => scene.strike());

function button(muted = false, state = RoomState.LIVE): Shown {
  const own = seat(me, Role.SPEAKER, { muted });
  const shown = view({ role: Role.SPEAKER }, { stage: [own], room: create(RoomSchema, { roomId: 'room00000001', state }) });
  return scene.show(MicButton, { room: scene.room(shown), view: shown, seat: own });
}

const heard = (page: Shown): string | undefined => page.get('mute-toggle').dataset['heard'];

test('who is heard mutes at once, whatever the server says', async () => {
  refuses = true;
  const page = button();
  expect(heard(page)).toBe('live');
  await page.press('mute-toggle');
  expect([heard(page), told]).toEqual(['muted', [true]]);
});

test('who is muted is heard again once the server agreed, with a microphone that was opened', async () => {
  scene.microphone.held = true;
  const page = button();
  await page.press('mute-toggle');
  expect([heard(page), told, scene.microphone.played.did[0], scene.sound.sent]).toEqual(['live', [false], 'open', 1]);
});

test('who gives no microphone is told so, and the server is not', async () => {
  scene.microphone.played.allowed = false;
  const page = button(true);
  await page.press('mute-toggle');
  expect([told, scene.parts.toasts.list.length]).toEqual([[], 1]);
});

test('what keeps one from being heard is said: no microphone, no session, a closed stage', () => {
  scene.microphone.state = 'denied';
  expect(heard(button())).toBe('unheard');
  scene.microphone.state = 'live';
  Object.assign(scene.sound, { state: 'reconnecting' });
  expect(heard(button())).toBe('joining');
  const closed = button(false, RoomState.CLOSING);
  expect([heard(closed), (closed.get('mute-toggle') as HTMLButtonElement).disabled]).toEqual(['closed', true]);
});

test('whoever sits in a booth reads whether they are on air there, not only that a microphone is on', () => {
  const own = seat(me, Role.INTERPRETER, { language: 'ar' });
  const says = (activeUserId: string): string => {
    const shown = { ...view({ role: Role.INTERPRETER, language: 'ar' }, { stage: [own] }), booths: [create(BoothSchema, { language: 'ar', activeUserId, seats: [{ person: own.person, connected: true }] })] };
    return scene.show(MicButton, { room: scene.room(shown), view: shown, seat: own, small: true }).get('mute-toggle').textContent ?? '';
  };
  expect(says('vera00000001')).toContain(en['desk.ready']);
  expect(says(me)).toContain('You are on air');
});
