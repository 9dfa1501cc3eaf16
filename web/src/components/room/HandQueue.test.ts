// @vitest-environment happy-dom
// The moderators' queue: who is brought up, who waits for an answer, and what an empty one says.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BoothSchema } from '../../gen/majlis/room_directory/v1/booth_pb.ts';
import { HandMode, HandSchema, Role, RoomSchema, RoomState } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import { RoomService } from '../../gen/majlis/room_directory/v1/room_service_pb.ts';
import { StageService } from '../../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { me, offer, person, seat, start, view } from '../../room/fixtures.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import HandQueue from './HandQueue.svelte';

const omar = 'omar00000001';
const hand = create(HandSchema, { person: person(omar), question: 'How do you test rockets?', raisedAt: timestampFromMs(start - 75_000) });
let scene: Scene;
let called: string[];

beforeEach(() => {
  called = [];
  scene = new Scene(({ service }) => {
    service(StageService, {
      offerStage: ({ userId }) => (called.push(`offer ${userId}`), {}),
      withdrawOffer: ({ userId }) => (called.push(`withdraw ${userId}`), {}),
      dismissHand: ({ userId }) => (called.push(`dismiss ${userId}`), {}),
      takeBack: ({ userId }) => (called.push(`take back ${userId}`), {}),
    });
    service(RoomService, { updateRoom: ({ handMode }) => (called.push(`hands ${handMode}`), {}) });
  });
});
afterEach(() => scene.strike());

function queue(more: Parameters<typeof view>[1] = {}, hands = [hand]): Shown {
  const room = scene.room(view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)], ...more }));
  room.queue.hands = hands;
  return scene.show(HandQueue, { room, onperson: (who) => void called.push(`look at ${who.userId}`) });
}

test('a hand shows who, what and since when, and is brought up', async () => {
  const page = queue();
  expect(page.get('hand-queue-item').textContent).toContain('How do you test rockets?');
  expect(page.text).toContain('1:15');
  await page.press('bring-up');
  expect(called).toEqual([`offer ${omar}`]);
});

test('who was invited already is neither brought up nor put down, but the invitation can be taken back', async () => {
  const page = queue({ offers: [offer(omar)] });
  expect([page.find('bring-up'), page.find('not-now')]).toEqual([null, null]);
  await page.press('Take the invitation back');
  expect(called).toEqual([`withdraw ${omar}`]);
});

test('“not now” is said with an undo', async () => {
  await queue().press('not-now');
  expect(called).toEqual([`dismiss ${omar}`]);
  await scene.parts.toasts.list[0]?.undo?.();
  expect(called).toEqual([`dismiss ${omar}`, `take back ${omar}`]);
});

test('an empty queue says whether hands are off, and only then offers to let them up again', async () => {
  const empty = queue({}, []);
  expect(empty.buttons).toEqual([]);
  const off = queue({ room: create(RoomSchema, { roomId: 'room00000001', state: RoomState.LIVE, handMode: HandMode.OFF }) }, []);
  expect(off.text).not.toBe(empty.text);
  await off.press(off.buttons[0] ?? '');
  expect(called).toEqual([`hands ${HandMode.EVERYONE}`]);
});

test('a hand in a language that those here do not follow says so, where booths are open', () => {
  const said = (...booths: string[]): [boolean, boolean] => {
    const asks = create(HandSchema, { ...hand, person: { ...person(omar), spokenLanguages: ['ar'] } });
    const page = queue({ room: create(RoomSchema, { roomId: 'room00000001', state: RoomState.LIVE, handMode: HandMode.EVERYONE, language: 'en' }), booths: booths.map((language) => create(BoothSchema, { language })) }, [asks]);
    return [page.find('lacks-booth') !== null, page.find('lacks-listeners') !== null];
  };
  expect([said(), said('ar'), said('ru'), said('ar', 'en')]).toEqual([[false, false], [false, true], [true, true], [false, false]]);
});
