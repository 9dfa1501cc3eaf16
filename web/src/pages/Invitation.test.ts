// @vitest-environment happy-dom
// The page of an invitation: what is said before anybody comes in by it.
import { afterEach, expect, test } from 'vitest';
import { InviteService } from '../gen/majlis/invite/v1/invite_service_pb.ts';
import { Scene, type Shown } from '../testing/page.ts';
import { settled } from '../testing/clock.ts';
import Invitation from './Invitation.svelte';

let scene: Scene;

afterEach(() => scene.strike());

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
