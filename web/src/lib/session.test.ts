// What the first answer means: a person, a stranger, a server that is away, or a refusal.
import { Code, ConnectError } from '@connectrpc/connect';
import { beforeEach, expect, test, vi } from 'vitest';

const api = vi.hoisted(() => ({ getMe: vi.fn(), signedOut: (() => undefined) as (refusal: unknown) => void }));
vi.mock('./api.ts', () => ({ auth: { getMe: api.getMe }, whenSignedOut: (listener: typeof api.signedOut) => void (api.signedOut = listener) }));
vi.mock('./router.svelte.ts', () => ({ router: { go: vi.fn() } }));

const { session } = await import('./session.svelte.ts');
const lina = { account: { profile: { userId: 'lina00000001' } } };

function refused(code: Code, reason: string): ConnectError {
  const error = new ConnectError('no', code);
  error.details.push({ type: 'google.rpc.ErrorInfo', value: new Uint8Array(), debug: { reason } } as (typeof error.details)[number]);
  return error;
}

beforeEach(() => session.adopt(null));

test('somebody who is not signed in is a stranger, and nothing is wrong', async () => {
  api.getMe.mockRejectedValueOnce(refused(Code.Unauthenticated, 'NOT_SIGNED_IN'));
  await session.start();
  expect([session.known, session.account, session.refusal]).toEqual([true, null, null]);
});

test('every other refusal is kept as what it is', async () => {
  for (const error of [refused(Code.PermissionDenied, 'ACCOUNT_SUSPENDED'), refused(Code.NotFound, 'ACCOUNT_NOT_FOUND'), new ConnectError('', Code.Unavailable)]) {
    api.getMe.mockRejectedValueOnce(error);
    await session.start();
    expect([session.account, session.refusal]).toEqual([null, error]);
  }
  api.getMe.mockResolvedValueOnce(lina);
  await session.start();
  expect([session.me, session.refusal]).toEqual(['lina00000001', null]);
});

test('who is suspended while the page is open learns it too; who only lost the network stays', async () => {
  api.getMe.mockResolvedValueOnce(lina);
  await session.start();
  api.getMe.mockRejectedValueOnce(new ConnectError('', Code.Unavailable));
  await session.start();
  expect(session.me).toBe('lina00000001');
  const suspended = refused(Code.PermissionDenied, 'ACCOUNT_SUSPENDED');
  api.signedOut(suspended);
  expect([session.account, session.refusal]).toEqual([null, suspended]);
});
