// Server-sent events in whatever pieces the network brings them, and what their messages mean.
import { expect, test } from 'vitest';
import { decodeEvent } from './decode.ts';
import { SseParser } from './sse.ts';

const stream = 'retry: 1000\n\nid: 7\nevent: hand_raised\ndata: {"a":1,\ndata: "b":2}\n\n: heartbeat\n\nid: 8\r\nevent: pulse\r\ndata: {}\r\n\r\n';

test('any cut of the stream gives the same messages', () => {
  const whole = new SseParser().push(stream);
  expect(whole).toEqual([
    { id: '7', event: 'hand_raised', data: '{"a":1,\n"b":2}' },
    { id: '8', event: 'pulse', data: '{}' },
  ]);
  for (let cut = 0; cut <= stream.length; cut++) {
    const parser = new SseParser();
    expect([...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))]).toEqual(whole);
  }
});

test('the wait the server asks for is kept', () => {
  const parser = new SseParser();
  parser.push('retry: 4000\n\nretry: soon\n\n');
  expect(parser.retry).toBe(4000);
});

test('a message without data still carries its name', () => {
  expect(new SseParser().push('event: resync\n\n')).toEqual([{ id: '', event: 'resync', data: '' }]);
});

test('a whole event and a bare fact decode to the same', () => {
  const whole = decodeEvent({ id: '9', event: 'hand_lowered', data: '{"revision":"9","handLowered":{"userId":"omar00000001","handCount":2}}' });
  const bare = decodeEvent({ id: '9', event: 'hand_lowered', data: '{"userId":"omar00000001","handCount":2}' });
  expect(whole?.revision).toBe(9n);
  expect(whole?.event).toMatchObject({ case: 'handLowered', value: { userId: 'omar00000001', handCount: 2 } });
  expect(bare).toEqual(whole);
});

test('names and fields of a newer server are passed over', () => {
  expect(decodeEvent({ id: '9', event: 'moon_landed', data: '{}' })).toBeUndefined();
  expect(decodeEvent({ id: '9', event: 'pulse', data: '{"revision":"9","pulse":{"listenerCount":3,"mood":"calm"}}' })?.event.case).toBe('pulse');
});
