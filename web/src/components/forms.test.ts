// @vitest-environment happy-dom
// Forms that decide something while one types: the handle that follows the name, the code that can be asked for again, the text that is too long.
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Scene, type Shown } from '../testing/page.ts';
import { refusedWith } from '../testing/server.ts';
import EmailCode from './EmailCode.svelte';
import Field from './Field.svelte';
import NameForm from './NameForm.svelte';
import Trouble from './Trouble.svelte';

let scene: Scene;
beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

const valueOf = (page: Shown, testid: string): string => (page.get(testid) as HTMLInputElement).value;

describe('a new name', () => {
  let sent: string[][];
  let refusal: Error | null;
  const form = (): Shown =>
    scene.show(NameForm, {
      action: 'invitation.join' as const,
      submit: async (name: string, handle: string) => {
        sent.push([name, handle]);
        if (refusal) throw refusal;
      },
    });

  beforeEach(() => void ([sent, refusal] = [[], null]));

  test('brings its handle with it, until one is typed', async () => {
    const page = form();
    await page.type('display-name', 'Zoë Müller');
    expect(valueOf(page, 'handle')).toBe('zoe_muller');
    await page.type('handle', 'zoe');
    await page.type('display-name', 'Zoë Lüd');
    await page.send();
    expect(sent).toEqual([['Zoë Lüd', 'zoe']]);
  });

  test('whose handle is taken gets one that is free, so that a second press is all it takes', async () => {
    refusal = refusedWith(Code.AlreadyExists, 'HANDLE_TAKEN');
    (refusal as ConnectError).details = [{ type: 'google.rpc.ErrorInfo', value: new Uint8Array(), debug: { reason: 'HANDLE_TAKEN', metadata: { free: 'sami_2' } } }];
    const page = form();
    await page.type('display-name', 'Sami Haddad');
    await page.send();
    expect(valueOf(page, 'handle')).toBe('sami_2');
    refusal = null;
    await page.send();
    expect(sent.at(-1)).toEqual(['Sami Haddad', 'sami_2']);
  });
});

describe('a code by e-mail', () => {
  test('is confirmed in the digits of any script, and asked for again only after a while', async () => {
    const done: string[] = [];
    const page = scene.show(EmailCode, { start: async (email: string) => ({ challengeId: email }), finish: async (challenge: string, code: string) => void done.push(challenge, code) });
    await page.type('email', 'sami@hall.example');
    await page.send();
    expect((page.get('resend-code') as HTMLButtonElement).disabled).toBe(true);
    expect((page.get('confirm-code') as HTMLButtonElement).disabled).toBe(true);
    await page.type('email-code', '٠٤٢ ٠٤٢');
    await page.send();
    expect(done).toEqual(['sami@hall.example', '042042']);
  });
});

test('a text that is too long stays whole, and the form is not sent', () => {
  const page = scene.show(Field, { label: 'Name', value: 'x'.repeat(41), max: 40, testid: 'name' });
  const box = page.get('name') as HTMLInputElement;
  expect([box.value.length, box.getAttribute('aria-invalid'), box.checkValidity()]).toEqual([41, 'true', false]);
});

describe('what could not be loaded', () => {
  const again = (): { page: (refusal: unknown) => Shown; asked: () => number } => {
    let asked = 0;
    return { page: (refusal) => scene.show(Trouble, { refusal, again: async () => void asked++ }), asked: () => asked };
  };

  test('is loaded again by itself where it passes, and at once when the network is back', async () => {
    const { page, asked } = again();
    page(new ConnectError('', Code.Unavailable));
    await scene.clock.pass(4_000);
    expect(asked()).toBe(1);
    page(new ConnectError('', Code.Unavailable));
    scene.network.comesBack();
    expect(asked()).toBe(2);
  });

  test('waits for the person where it does not', async () => {
    const { page, asked } = again();
    const shown = page(refusedWith(Code.PermissionDenied, 'NOT_ALLOWED'));
    scene.network.comesBack();
    await scene.clock.pass(600_000);
    expect(asked()).toBe(0);
    await shown.press('Try again');
    expect(asked()).toBe(1);
  });

  test('is asked for no more once the page is left', async () => {
    const { page, asked } = again();
    page(new ConnectError('', Code.Unavailable));
    await scene.strike();
    scene.network.comesBack();
    await scene.clock.pass(600_000);
    expect(asked()).toBe(0);
  });
});
