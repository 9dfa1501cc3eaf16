// Small pure helpers: times, names, addresses, refusals.
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { clock, initials, isLatin, suggestHandle } from './format.ts';
import { explain, outlook, passes, reasonIn, reasonOf, Refusal, retryAfter, valueOf } from './refusal.ts';
import { parse } from './router.svelte.ts';

const at = (path: string): ReturnType<typeof parse> => parse(new URL(path, 'https://hall.example'));

test('a clock shows minutes, and hours only when there are some', () => {
  expect([clock(48_000), clock(2_530_000), clock(3_723_000), clock(-5)]).toEqual(['0:48', '42:10', '1:02:03', '0:00']);
});

test('initials are two letters, or one where letters join', () => {
  expect(initials('Lina Khoury')).toBe('LK');
  expect(initials('  анна   петрова ')).toBe('АП');
  expect(initials('عمر الفاروق')).toBe('ع');
  expect(initials('Zed')).toBe('Z');
  expect(initials('')).toBe('');
  expect(initials('(Bo) Ek')).toBe('BE');
});

test('a handle is suggested from Latin names only', () => {
  expect(suggestHandle('Zoë Müller-Lüd')).toBe('zoe_muller_lud');
  expect(suggestHandle('Sami Haddad')).toBe('sami_haddad');
  expect(suggestHandle('عمر')).toBe('');
  expect(suggestHandle('3 Bo')).toBe('');
  expect(['Zoë Müller', 'O’Brien 3', '🙂', 'Лина', 'Sami حداد'].map(isLatin)).toEqual([true, true, true, false, false]);
});

test('addresses lead to pages', () => {
  expect(at('/')).toEqual({ page: 'hallway' });
  expect(at('/r/room00000001#key')).toEqual({ page: 'room', room: 'room00000001', key: 'key' });
  expect(at('/i/abcdefgh2345')).toEqual({ page: 'invitation', code: 'abcdefgh2345' });
  expect(at('/setup#token')).toEqual({ page: 'setup', token: 'token' });
  expect(at('/r/../../etc')).toEqual({ page: 'missing' });
  expect(at('/profile/')).toEqual({ page: 'profile' });
});

test('signing in leads back only to this origin', () => {
  const next = (path: string): unknown => at(`/sign-in?next=${encodeURIComponent(path)}`);
  expect(next('/r/room00000001#k')).toEqual({ page: 'sign-in', next: '/r/room00000001#k' });
  for (const bad of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)']) {
    expect(next(bad)).toEqual({ page: 'sign-in', next: '/' });
  }
});

function refusedWith(code: Code, detail: object): ConnectError {
  const error = new ConnectError('no', code);
  error.details.push({ type: 'google.rpc.ErrorInfo', value: new Uint8Array(), ...detail } as (typeof error.details)[number]);
  return error;
}

test('the reason is read from the readable and from the packed form of ErrorInfo', () => {
  const packed = new Uint8Array([0x0a, 9, ...new TextEncoder().encode('HANDS_OFF')]);
  expect(reasonOf(refusedWith(Code.FailedPrecondition, { debug: { reason: 'HANDS_OFF' } }))).toBe('HANDS_OFF');
  expect(reasonOf(refusedWith(Code.FailedPrecondition, { value: packed }))).toBe('HANDS_OFF');
  expect(reasonOf(refusedWith(Code.NotFound, { debug: { reason: 'ROOM_DIRECTORY_ERROR_REASON_ROOM_NOT_FOUND' } }))).toBe('ROOM_NOT_FOUND');
  expect(reasonOf(new Error('other'))).toBe('');
});

test('every refusal has words', () => {
  expect(explain(refusedWith(Code.FailedPrecondition, { debug: { reason: 'HANDS_OFF' } }))).toBe('refused.HANDS_OFF');
  expect(explain(new ConnectError('away', Code.Unavailable))).toBe('refused.offline');
  expect(explain(refusedWith(Code.Internal, { debug: { reason: 'SOMETHING_NEW' } }))).toBe('refused.fault');
  expect(explain(new TypeError('Failed to fetch'))).toBe('refused.offline');
  expect(explain(new Refusal(503, 'RELAY_FULL'))).toBe('refused.NO_RELAY');
});

test('what a refusal adds is read: the handle that is free, the time to wait', () => {
  const taken = refusedWith(Code.AlreadyExists, { debug: { reason: 'HANDLE_TAKEN', metadata: { free: 'lina_2' } } });
  expect([valueOf(taken, 'free'), valueOf(taken, 'other'), retryAfter(taken)]).toEqual(['lina_2', '', 0]);
  const often = refusedWith(Code.ResourceExhausted, { type: 'google.rpc.RetryInfo', debug: { retryDelay: '12.5s' } });
  expect([retryAfter(often), valueOf(often, 'free'), retryAfter(new Error('other'))]).toEqual([12_500, '', 0]);
});

test('only what never answered is called unreachable', () => {
  const failed = ConnectError.from(new TypeError('Failed to fetch'));
  for (const error of [failed, new TypeError('Failed to fetch'), new ConnectError('', Code.Unavailable), new ConnectError('', Code.DeadlineExceeded)]) {
    expect([outlook(error), explain(error), passes(error)]).toEqual(['unreached', 'refused.offline', true]);
  }
  const away = refusedWith(Code.Unavailable, { debug: { reason: 'PART_UNAVAILABLE' } });
  expect([outlook(away), explain(away), passes(away)]).toEqual(['passing', 'refused.notReady', true]);
  const often = new ConnectError('', Code.ResourceExhausted);
  expect([outlook(often), explain(often), passes(often)]).toEqual(['passing', 'refused.RATE_LIMITED', true]);
  const suspended = refusedWith(Code.PermissionDenied, { debug: { reason: 'ACCOUNT_SUSPENDED' } });
  expect([outlook(suspended), explain(suspended), passes(suspended)]).toEqual(['final', 'refused.ACCOUNT_SUSPENDED', false]);
  // What the server itself calls unknown is a fault of it.
  const fault = new ConnectError('', Code.Unknown);
  expect([outlook(fault), explain(fault), passes(fault)]).toEqual(['fault', 'refused.fault', false]);
  expect([outlook(new Refusal(500, '')), outlook(new Refusal(403, 'BLOCKED')), outlook(new Refusal(503, 'ROOM_FULL'))]).toEqual(['fault', 'final', 'passing']);
});

test('the reason of a problem document and of a Connect error body are both found', async () => {
  const body = (value: unknown): Response => new Response(JSON.stringify(value), { status: 403 });
  expect(await reasonIn(body({ title: 'permission_denied', reason: 'REMOVED' }))).toBe('REMOVED');
  expect(await reasonIn(body({ code: 'permission_denied', details: [{ debug: { reason: 'BLOCKED' } }] }))).toBe('BLOCKED');
  expect(await reasonIn(new Response('<html>', { status: 502 }))).toBe('');
});
