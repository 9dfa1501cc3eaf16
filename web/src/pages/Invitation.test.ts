// @vitest-environment happy-dom
// The page of an invitation: what is said before anybody comes in by it.
import { Code } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { DoorService } from '../gen/majlis/invite/v1/door_service_pb.ts';
import { DoorState } from '../gen/majlis/invite/v1/doors_pb.ts';
import { InviteService } from '../gen/majlis/invite/v1/invite_service_pb.ts';
import en from '../i18n/en.json';
import { Scene, type Shown } from '../testing/page.ts';
import { settled } from '../testing/clock.ts';
import { refusedWith } from '../testing/server.ts';
import Invitation from './Invitation.svelte';

let scene: Scene;

afterEach(() => {
  scene.strike();
  localStorage.clear();
});

async function page(place?: { place: number }): Promise<Shown> {
  scene = new Scene(({ service }) => service(InviteService, { getInvitation: () => ({ inviter: { displayName: 'Lina' }, ...(place && { place }) }) }));
  const shown = scene.show(Invitation, { code: 'codecodecode' });
  await settled();
  return shown;
}

test('who opens an invitation that waits elsewhere is told that the place is shared', async () => {
  const shown = await page({ place: 4 });
  expect(shown.get('place-shared').textContent).toContain('4');
});

test('an invitation that waits nowhere says nothing of a place', async () => {
  const shown = await page();
  expect(shown.root.querySelector('[data-testid="place-shared"]')).toBeNull();
});

/** The page of somebody who waits in line by the invitation, before doors that answer so. */
async function inLine(place: object = {}): Promise<{ shown: Shown; left: object[] }> {
  localStorage.setItem('majlis.redeem.codecodecode', JSON.stringify({ request: 'a'.repeat(32), displayName: 'Omar', handle: 'omar' }));
  const left: object[] = [];
  scene = new Scene(({ service }) => {
    service(InviteService, { getInvitation: () => ({ inviter: { displayName: 'Lina' } }) });
    service(DoorService, {
      getPlace: () => ({ place: { place: 3, waiting: 9, lookSeconds: 10, ...place }, doors: { state: DoorState.PACED, letters: true } }),
      leaveLine: ({ code, requestId }) => (left.push({ code, requestId }), {}),
    });
  });
  const shown = scene.show(Invitation, { code: 'codecodecode' });
  await settled();
  return { shown, left };
}

test('who waits is told that the link is good for one, whoever has it', async () => {
  const { shown } = await inLine();
  expect(shown.text).toContain(en['line.shared']);
});

test('the place is given up only when what that means was read, and the invitation is there again', async () => {
  const { shown, left } = await inLine();
  await shown.press('ask-leave-doors');
  expect(shown.text).toContain(en['line.leaveText']);
  await shown.press('stay-in-line');
  expect([shown.find('leave-doors'), left]).toEqual([null, []]);
  await shown.press('ask-leave-doors');
  await shown.press('leave-doors');
  await settled();
  expect(left).toEqual([{ code: 'codecodecode', requestId: 'a'.repeat(32) }]);
  expect(shown.get('accept-invitation')).toBeTruthy();
  expect(localStorage.getItem('majlis.redeem.codecodecode')).toBeNull();
});

test('who comes back to the page is told that the letter was sent, and may leave an address again', async () => {
  const { shown } = await inLine({ letterSent: true });
  expect(shown.get('letter-sent').textContent).toBe(en['letter.sent']);
  expect(shown.get('letter-ask').textContent).toContain(en['letter.again']);
});

test('who left an address is told that a letter comes when it is the turn', async () => {
  const { shown } = await inLine({ letter: true });
  expect(shown.get('letter-left').textContent).toContain(en['letter.left']);
});

test('while there is a line the form says that it takes a place, as the button did that led to it', async () => {
  scene = new Scene(({ service }) => service(InviteService, { getInvitation: () => ({ inviter: { displayName: 'Lina' }, doors: { state: DoorState.PAUSED } }) }));
  const shown = scene.show(Invitation, { code: 'codecodecode' });
  await settled();
  const before = shown.get('accept-invitation').textContent?.trim();
  await shown.press('accept-invitation');
  expect(shown.get('submit-name').textContent?.trim()).toBe(before);
});

test('who waited with an invitation that another used meanwhile is told what became of it', async () => {
  localStorage.setItem('majlis.redeem.codecodecode', JSON.stringify({ request: 'a'.repeat(32), displayName: 'Omar', handle: 'omar' }));
  const spent = (): never => {
    throw refusedWith(Code.NotFound, 'INVITATION_INVALID');
  };
  scene = new Scene(({ service }) => {
    service(InviteService, { getInvitation: spent, redeemInvitation: spent });
    service(DoorService, { getPlace: spent });
  });
  const shown = scene.show(Invitation, { code: 'codecodecode' });
  await settled();
  await settled();
  expect(shown.text).toContain(en['invitation.goneTitle']);
  expect(shown.text).toContain(en['invitation.goneText']);
});
