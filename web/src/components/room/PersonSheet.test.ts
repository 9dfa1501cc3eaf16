// @vitest-environment happy-dom
// What may be done about a person, by whom.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ModerationService } from '../../gen/majlis/room_directory/v1/moderation_service_pb.ts';
import { Role } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import { StageService } from '../../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { me, offer, person, seat, view } from '../../room/fixtures.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import PersonSheet from './PersonSheet.svelte';

const omar = person('omar00000001');
const acts = ['mute-person', 'make-moderator', 'move-to-audience', 'offer-stage', 'remove-person', 'block-person'];
let scene: Scene;
let called: string[];
/** Whether who is blocked is still inside. */
let inside: boolean;

beforeEach(() => {
  [called, inside] = [[], false];
  scene = new Scene(({ service }) => {
    service(StageService, { muteSpeaker: () => (called.push('mute'), {}) });
    service(ModerationService, {
      blockPerson: () => (called.push('block'), { rooms: inside ? [{ roomId: 'room00000001' }] : [] }),
      removePerson: () => (called.push('remove'), {}),
    });
  });
});
afterEach(() => scene.strike());

function sheet(shown: Parameters<typeof view>, who = omar): Shown {
  const now = view(...shown);
  return scene.show(PersonSheet, { room: scene.room(now), view: now, person: who, onclose: () => void called.push('closed') });
}

const possible = (page: Shown): string[] => acts.filter((act) => page.find(act));
const leading = (...more: ReturnType<typeof seat>[]): Parameters<typeof view> => [{ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR), ...more] }];

test('a listener may block or report, nothing else', () => {
  expect(possible(sheet([]))).toEqual(['block-person']);
});

test('a moderator leads who speaks, and invites who listens', async () => {
  expect(possible(sheet(leading(seat(omar.userId))))).toEqual(['mute-person', 'make-moderator', 'move-to-audience', 'remove-person', 'block-person']);
  await scene.strike();
  expect(possible(sheet(leading()))).toEqual(['offer-stage', 'remove-person', 'block-person']);
  await scene.strike();
  expect(possible(sheet([{ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)], offers: [offer(omar.userId)] }]))).toEqual(['remove-person', 'block-person']);
});

test('moderators mute each other, and are offered nothing that the room refuses them', async () => {
  expect(possible(sheet(leading(seat(omar.userId, Role.MODERATOR))))).toEqual(['mute-person', 'block-person']);
  await scene.strike();
  inside = true;
  const page = sheet(leading(seat(omar.userId, Role.MODERATOR, { muted: true })));
  expect(possible(page)).toEqual(['block-person']);
  await page.press('block-person');
  expect([called, page.find('remove-blocked')]).toEqual([['block'], null]);
});

test('nobody acts on themselves: they go to their own page', () => {
  const page = sheet(leading(), person(me));
  expect([possible(page), page.root.querySelector('a')?.getAttribute('href')]).toEqual([[], '/profile']);
});

test('who was muted is not looked at any longer', async () => {
  const page = sheet(leading(seat(omar.userId)));
  await page.press('mute-person');
  expect(called).toEqual(['mute', 'closed']);
});

test('a block puts nobody out: where the person is still inside the moderator is asked', async () => {
  inside = true;
  const page = sheet(leading());
  await page.press('block-person');
  await page.press('remove-blocked');
  expect(called).toEqual(['block', 'remove', 'closed']);
});
