// What is said of the rung, what is remembered of a network, and where a stream is asked for.
import { expect, test } from 'vitest';
import { Refusal } from '../lib/refusal.ts';
import { countedIn, wayIn } from '../media/pulse.ts';
import { listenPath, openListening } from './listen-path.ts';
import { RungHint, rungWords } from './rungs.ts';

test('the best way is not spoken of, any other in one sentence', () => {
  const said = (rung: 'call' | 'https' | 'text', way: string, state = 'on'): string | null => rungWords({ state, rung, way, cause: 'blocked' });
  expect([said('call', 'udp'), said('call', 'tcp'), said('https', ''), said('https', '', 'reconnecting')]).toEqual([null, 'sound.tcp', 'sound.web.blocked', null]);
});

test('that calls are blocked is remembered of this network, for half a day', () => {
  let [kept, network, now]: [string | null, string, number] = [null, 'wifi', 1_000];
  const hint = new RungHint({ recall: () => kept, keep: (text) => void (kept = text), network: () => network, now: () => now });
  expect(hint.low).toBe(false);
  hint.note('https');
  expect(hint.low).toBe(true);
  network = 'cellular';
  expect(hint.low).toBe(false);
  network = 'wifi';
  now += 13 * 3600_000;
  expect(hint.low).toBe(false);
  now = 2_000;
  hint.note('call');
  expect([hint.low, kept]).toEqual([false, null]);
  kept = 'no JSON';
  expect(hint.low).toBe(false);
});

test('a language by hand is in the path, a list in the query', () => {
  expect(listenPath('room00000001', { language: 'ar', understands: [], thrift: false }, 'webm')).toBe('/listen/room00000001/ar.webm');
  expect(listenPath('room00000001', { language: '', understands: ['ar', 'en'], thrift: false }, 'mp4')).toBe('/listen/room00000001.mp4?understands=ar,en');
  expect(listenPath('room00000001', { language: '', understands: [], thrift: false }, 'webm')).toBe('/listen/room00000001.webm');
  expect(listenPath('room00000001', { language: 'ar', understands: [], thrift: true }, 'webm')).toBe('/listen/room00000001/ar.webm?thrift=1');
  expect(listenPath('room00000001', { language: '', understands: ['ar'], thrift: true }, 'mp4')).toBe('/listen/room00000001.mp4?understands=ar&thrift=1');
});

test('an expired sign-in is renewed once, and what is refused then says why', async () => {
  let renewed = 0;
  const answers = [401, 403].map((status) => new Response(JSON.stringify({ reason: 'REMOVED' }), { status }));
  const opened = openListening({ ask: async () => answers.shift() as Response, renew: async () => (renewed++, true) }, '/listen/x.webm', new AbortController().signal);
  await expect(opened).rejects.toEqual(new Refusal(403, 'REMOVED'));
  expect(renewed).toBe(1);
});

test('the way is that of the pair the browser has taken, and another pair that answers does not hide that it is dead', () => {
  const rows = [
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P1' },
    { id: 'P1', type: 'candidate-pair', localCandidateId: 'L1', requestsSent: 9, responsesReceived: 5 },
    { id: 'P2', type: 'candidate-pair', localCandidateId: 'L2', requestsSent: 4, responsesReceived: 4 },
    { id: 'L1', type: 'local-candidate', protocol: 'udp' },
    { id: 'L2', type: 'local-candidate', protocol: 'tcp' },
  ];
  expect([wayIn(rows), countedIn(rows)]).toEqual(['udp', { heard: 5, asked: 9 }]);
  expect(wayIn([{ ...rows[0], selectedCandidatePairId: 'P2' }, ...rows.slice(1)])).toBe('tcp');
  expect(wayIn([])).toBe('');
});
