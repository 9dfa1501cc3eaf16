// @vitest-environment happy-dom
// A live room in the hallway.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { RoomSchema } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { Scene } from '../testing/page.ts';
import RoomCard from './RoomCard.svelte';

let scene: Scene;

beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

test('a card counts who hears the room over the web beside those who are in it', () => {
  const page = scene.show(RoomCard, { room: create(RoomSchema, { roomId: 'room00000001', title: 'Talk', peopleCount: 12, openToWeb: true, webListenerCount: 340 }) });
  expect(page.get('room-card').textContent).toMatch(/12 people here\s+and 340 over the web/);
  const quiet = scene.show(RoomCard, { room: create(RoomSchema, { roomId: 'room00000002', title: 'Talk', peopleCount: 3 }) });
  expect(quiet.find('web-count')).toBeNull();
});
