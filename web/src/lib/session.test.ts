// What the first answer means: a person, a stranger, a server that is away, or a refusal.
import { Code, ConnectError } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { beforeEach, expect, test } from 'vitest';
import { AccountService, GetMeResponseSchema, type GetMeResponse } from '../gen/majlis/auth/v1/account_service_pb.ts';
import { SignInService } from '../gen/majlis/auth/v1/sign_in_service_pb.ts';
import { fakeClient, refusedWith } from '../testing/server.ts';
import { reasonOf } from './refusal.ts';
import { Session } from './session.svelte.ts';
import { Tabs } from './tabs.ts';

/** A server that knows who asks, or why it does not say. */
class FakeApi {
  answers: (GetMeResponse | Error)[] = [];
  signedOut: (refusal: unknown) => void = () => undefined;
  whenSignedOut = (listener: (refusal: unknown) => void): void => void (this.signedOut = listener);
  signIns = fakeClient(SignInService, {});
  accounts = fakeClient(AccountService, {
    getMe: () => {
      const answer = this.answers.shift();
      if (!answer || answer instanceof Error) throw answer ?? refusedWith(Code.Unauthenticated, 'NOT_SIGNED_IN');
      return answer;
    },
  });
}

const lina = create(GetMeResponseSchema, { account: { profile: { userId: 'lina00000001' } } });
let api: FakeApi;
let session: Session;

beforeEach(() => {
  api = new FakeApi();
  session = new Session({ api, router: { go: () => undefined }, words: { code: 'en', use: async () => undefined }, tabs: new Tabs(null) });
});

test('somebody who is not signed in is a stranger, and nothing is wrong', async () => {
  api.answers.push(refusedWith(Code.Unauthenticated, 'NOT_SIGNED_IN'));
  await session.start();
  expect([session.known, session.account, session.refusal]).toEqual([true, null, null]);
});

test('every other refusal is kept as what it is', async () => {
  for (const error of [refusedWith(Code.PermissionDenied, 'ACCOUNT_SUSPENDED'), refusedWith(Code.NotFound, 'ACCOUNT_NOT_FOUND'), new ConnectError('', Code.Unavailable)]) {
    api.answers.push(error);
    await session.start();
    expect([session.account, reasonOf(session.refusal), (session.refusal as ConnectError).code]).toEqual([null, reasonOf(error), error.code]);
  }
  api.answers.push(lina);
  await session.start();
  expect([session.me, session.refusal]).toEqual(['lina00000001', null]);
});

test('who is suspended while the page is open learns it too; who only lost the network stays', async () => {
  api.answers.push(lina);
  await session.start();
  api.answers.push(new ConnectError('', Code.Unavailable));
  await session.start();
  expect(session.me).toBe('lina00000001');
  const suspended = refusedWith(Code.PermissionDenied, 'ACCOUNT_SUSPENDED');
  api.signedOut(suspended);
  expect([session.account, session.refusal]).toEqual([null, suspended]);
});
