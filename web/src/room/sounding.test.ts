// @vitest-environment happy-dom
// What lock screens and media keys are told of a room.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { Scene } from '../testing/page.ts';
import { me, seat, view } from './fixtures.ts';
import { sounding } from './sounding.ts';

let scene: Scene;

beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

test('a listener goes over to reading by a key, and back', () => {
  const room = scene.room();
  const shown = sounding(room, scene.parts.words);
  expect([shown?.title, shown?.at, shown?.playing]).toEqual([room.view?.room.title, 'Majlis', true]);
  shown?.steer?.pause();
  expect(scene.sound.chosen).toBe('text');
  shown?.steer?.play();
  expect([scene.sound.chosen, scene.sound.taps]).toEqual(['auto', 0]);
  shown?.steer?.play();
  expect(scene.sound.taps).toBe(1);
});

test('on stage no key takes the room from somebody’s ears, and before the door nothing is shown', () => {
  const room = scene.room(view({ role: Role.SPEAKER }, { stage: [seat(me)] }));
  expect(sounding(room, scene.parts.words)?.steer).toBeNull();
  expect(sounding(scene.room(null), scene.parts.words)).toBeNull();
});
