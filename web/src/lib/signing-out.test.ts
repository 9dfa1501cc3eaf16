// Signing out: microphone and sound go first, here and in the browser's other tabs, whichever way the sign-in ends.
import { beforeEach, expect, test, vi } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { AccountSchema } from '../gen/majlis/auth/v1/account_pb.ts';
import { me, person } from '../room/fixtures.ts';
import { Refusal } from './refusal.ts';
import type { Channel, Word } from './tabs.ts';

const happened: string[] = [];
const account = create(AccountSchema, { profile: person(me) });
let signedOut: (why: unknown) => void = () => undefined;
const auth = {
  getMe: async () => ({ account }),
  signOut: vi.fn(async () => void happened.push('call')),
  signOutEverywhere: vi.fn(async () => void happened.push('call')),
};
const channel: Channel & { said: unknown[] } = { said: [], onmessage: null, postMessage: (message) => void (channel.said.push(message), happened.push((message as { word: string }).word)) };

vi.mock('./api.ts', () => ({ auth, whenSignedOut: (listener: typeof signedOut) => void (signedOut = listener) }));
vi.mock('./router.svelte.ts', () => ({ router: { go: (path: string) => void happened.push(path) } }));
vi.mock('./tabs.ts', async (original) => ({ ...(await original<object>()), openChannel: () => channel }));
const { session } = await import('./session.svelte.ts');

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
