// @vitest-environment happy-dom
// The hallway: what leads back to a place in the line before a full room.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { RoomSchema } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { ListRoomsResponseSchema, RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { view } from '../room/fixtures.ts';
import { settled } from '../testing/clock.ts';
import { Scene } from '../testing/page.ts';
import Hallway from './Hallway.svelte';

const room = 'room00000001';
let scene: Scene;

beforeEach(() => {
  // What is fetched ahead of time is no matter here.
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const rooms = [create(RoomSchema, { roomId: room, title: 'Stars over Sanaa' })];
  scene = new Scene((router) => void router.service(RoomService, { listRooms: () => create(ListRoomsResponseSchema, { rooms }) }));
  scene.signIn();
});
afterEach(async () => {
  await scene.strike();
  vi.useRealTimers();
});

test('a place that is kept is led back to, by the name of its room and with its key, until it is given up', async () => {
  const box = scene.parts.places.box(room, 'key1');
  box.put('ticket1', 120_000);
  const shown = scene.show(Hallway, {});
  await settled();
  expect(shown.text).toContain('Stars over SanaaYou are waiting in line here');
  expect(shown.get('back-in-line').getAttribute('href')).toBe(`/r/${room}#key1`);
  box.put('');
  expect(shown.find('back-in-line')).toBeNull();
});

test('a place that a tab left behind which was closed is led back to as well', async () => {
  scene.noted = JSON.stringify([{ room, key: 'key1', until: scene.parts.now() + 60_000, who: scene.parts.session.me }]);
  const shown = scene.show(Hallway, {});
  await settled();
  expect(shown.get('back-in-line').getAttribute('href')).toBe(`/r/${room}#key1`);
});

test('a place whose time is over is led back to no more', async () => {
  scene.parts.places.box(room, '').put('ticket1', 0);
  const shown = scene.show(Hallway, {});
  await settled();
  expect(shown.find('back-in-line')).toBeNull();
});

test('a room is said to be the one somebody is in only while they are', async () => {
  // As it is left behind by who waited in its line, or was refused: opened, and never entered.
  scene.parts.player.room = scene.room(null);
  const shown = scene.show(Hallway, {});
  await settled();
  expect(shown.text).toContain('Stars over Sanaa');
  expect(shown.text).not.toContain('You are here');
});

test('the room that plays is marked among the others', async () => {
  scene.parts.player.room = scene.room(view());
  const shown = scene.show(Hallway, {});
  await settled();
  expect(shown.text).toContain('You are here');
});
