// @vitest-environment happy-dom
// The page of an invitation: what is said before anybody comes in by it.
import { Code } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { DoorService } from '../gen/majlis/invite/v1/door_service_pb.ts';
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
