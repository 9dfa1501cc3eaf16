// @vitest-environment happy-dom
// The audience as moderators see it: how many hear by which way, and nobody else is shown that.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Role } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import { event, me, seat, view } from '../../room/fixtures.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import Audience from './Audience.svelte';

let scene: Scene;

beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.strike());

function audience(role: Role, rungs: Record<string, number>): Shown {
  const room = scene.room(view({ role }, { stage: role === Role.LISTENER ? [] : [seat(me, role)] }));
  room.feed.take(event(7n, { case: 'listenerRungs', value: rungs }));
  if (!room.view) throw new Error('a room without a view has no audience');
  const nothing = (): void => undefined;
  return scene.show(Audience, { view: room.view, me, moderating: room.moderating, onperson: nothing, onshare: nothing, oneveryone: nothing, oninvite: nothing });
}

test('a moderator sees how many hear by each way that somebody uses', () => {
  const shown = audience(Role.MODERATOR, { udp: 1200, https: 31, text: 4 }).get('rungs');
  expect(shown.querySelector('h3')?.textContent).toBe('How the audience hears');
  expect([...shown.querySelectorAll('dl > div')].map((each) => each.textContent?.trim().replaceAll(/\s+/g, ' '))).toEqual(['Call1,200', 'Over the web31', 'Text only4']);
});

test('nobody else is shown it', () => {
  expect(audience(Role.SPEAKER, { udp: 3, https: 1 }).find('rungs')).toBeNull();
});
