// Signing out: microphone and sound go first, here and in the browser's other tabs, whichever way the sign-in ends.
import { beforeEach, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { AccountSchema } from '../gen/majlis/auth/v1/account_pb.ts';
import { AccountService } from '../gen/majlis/auth/v1/account_service_pb.ts';
import { SignInService } from '../gen/majlis/auth/v1/sign_in_service_pb.ts';
import { me, person } from '../room/fixtures.ts';
import { fakeClient } from '../testing/server.ts';
import { Refusal } from './refusal.ts';
import { Session } from './session.svelte.ts';
import { Tabs, type Channel, type Word } from './tabs.ts';

const happened: string[] = [];
const account = create(AccountSchema, { profile: person(me) });
let signedOut: (why: unknown) => void = () => undefined;
const accounts = fakeClient(AccountService, { getMe: () => ({ account }) });
const signIns = fakeClient(SignInService, {
  signOut: () => (happened.push('call'), {}),
  signOutEverywhere: () => (happened.push('call'), {}),
});
const channel: Channel = { onmessage: null, postMessage: (message) => void happened.push((message as { word: string }).word) };
const session = new Session({
  api: { accounts, signIns, whenSignedOut: (listener) => void (signedOut = listener) },
  router: { go: (path) => void happened.push(path) },
  words: { code: 'en', use: async () => undefined },
  tabs: new Tabs(channel),
});

let stays = false;
let playing = true;
const silence = (): void => {
  if (playing) happened.push('silent');
  playing = false;
};
session.accompany({
  leave: async () => (stays ? false : (silence(), true)),
  letGo: async () => silence(),
});
await session.start();

const heard = (word: Word, user: string): void => channel.onmessage?.({ data: { word, user } } as MessageEvent);

beforeEach(() => {
  stays = false;
  happened.length = 0;
  playing = true;
  session.adopt(account);
});

test.each([false, true])('who signs out is silent here and in every tab before the server is asked (everywhere: %s)', async (everywhere) => {
  await session.signOut(everywhere);
  expect(happened).toEqual(['silent', 'leaving', 'call', 'over', '/sign-in']);
  expect(session.account).toBeNull();
});

test('who leads a room alone and thinks better of it stays signed in', async () => {
  stays = true;
  await session.signOut();
  expect(happened).toEqual([]);
  expect(session.account).not.toBeNull();
});

test('a sign-in found ended, or an account suspended, lets go of the sound and tells the other tabs', () => {
  signedOut(new Refusal(403, 'ACCOUNT_SUSPENDED'));
  expect(happened.toSorted()).toEqual(['over', 'silent']);
  expect(session.account).toBeNull();
});

test('another tab that signs this person out silences this one; one that signs out somebody else does not', () => {
  heard('leaving', 'omar00000001');
  expect(happened).toEqual([]);
  heard('leaving', me);
  expect([happened, session.account !== null]).toEqual([['silent'], true]);
  heard('over', me);
  expect(session.account).toBeNull();
});

test('what is not understood on the tabs’ channel changes nothing', () => {
  for (const data of [null, 'over', { word: 'over' }, { word: 'dance', user: me }]) channel.onmessage?.({ data } as MessageEvent);
  expect([happened, session.account !== null]).toEqual([[], true]);
});
