// Am I heard? Never "live" while nobody hears.
import { expect, test } from 'vitest';
import { RoomState } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { heard, heardWord } from './heard.ts';

const seat = { muted: false };
const microphone = { state: 'live', held: false };
const sound = { state: 'on', kind: 'stage' };

test('who is on stage with a microphone that sends is live', () => {
  expect(heard(seat, RoomState.LIVE, microphone, sound)).toBe('live');
  // Only the loudspeaker waits for a tap.
  expect(heard(seat, RoomState.LIVE, microphone, { ...sound, state: 'tap' })).toBe('live');
  expect(heard(seat, RoomState.HELD, microphone, sound)).toBe('live');
});

test('muted by anybody, or here alone, is muted', () => {
  expect(heard({ muted: true }, RoomState.LIVE, microphone, sound)).toBe('muted');
  expect(heard(seat, RoomState.LIVE, { ...microphone, held: true }, sound)).toBe('muted');
});

test('a microphone that is refused, missing or not answered for yet is not live', () => {
  for (const state of ['denied', 'missing', 'insecure', 'off', 'asking']) expect(heard(seat, RoomState.LIVE, { ...microphone, state }, sound), state).toBe('unheard');
});

test('a session that is not up yet, or away, is not live', () => {
  for (const state of ['connecting', 'reconnecting', 'blocked', 'full', 'off']) expect(heard(seat, RoomState.LIVE, microphone, { ...sound, state }), state).toBe('joining');
  expect(heard(seat, RoomState.LIVE, microphone, { ...sound, kind: 'audience' })).toBe('joining');
});

test('on a closed stage nobody is live', () => {
  expect(heard(seat, RoomState.CLOSING, microphone, sound)).toBe('closed');
});

test('over the web it is the voice’s own way that counts, whatever becomes of the ears', () => {
  const web = { state: 'on', kind: 'stage', rung: 'https', voice: 'on' };
  expect(heard(seat, RoomState.LIVE, microphone, web)).toBe('live');
  expect(heard(seat, RoomState.LIVE, microphone, { ...web, state: 'reconnecting' })).toBe('live');
  for (const voice of ['off', 'connecting', 'lost', 'full']) expect(heard(seat, RoomState.LIVE, microphone, { ...web, voice }), voice).toBe('joining');
  expect(heard(seat, RoomState.LIVE, microphone, { ...web, voice: 'unable' })).toBe('unheard');
  expect(heard({ muted: true }, RoomState.LIVE, microphone, web)).toBe('muted');
});

test('a call that is back carries the voice, whatever the web did', () => {
  expect(heard(seat, RoomState.LIVE, microphone, { ...sound, rung: 'call', voice: 'lost' })).toBe('live');
});

test('who speaks over the web is told that they are heard later, and a rehearsal is told before that', () => {
  const web = { ...sound, rung: 'https', voice: 'on' };
  expect(heardWord('live', false, web)).toBe('heard.web');
  expect(heardWord('live', true, web)).toBe('heard.rehearsing');
  expect(heardWord('live', false, sound)).toBe('heard.live');
  expect(heardWord('joining', false, web)).toBe('heard.joining');
});
