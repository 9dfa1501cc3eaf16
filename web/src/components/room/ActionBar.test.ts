// @vitest-environment happy-dom
// The bottom of a room: what a person can do now, in each state, and what pressing it does.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HandSchema, Role } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import { StageService } from '../../gen/majlis/room_directory/v1/stage_service_pb.ts';
import { me, seat, start, view } from '../../room/fixtures.ts';
import { primary } from '../../room/primary.ts';
import type { RoomView } from '../../room/reducer.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import ActionBar from './ActionBar.svelte';

let scene: Scene;
let called: string[];

beforeEach(() => {
  called = [];
  scene = new Scene(({ service }) =>
    service(StageService, {
      raiseHand: ({ question }) => (called.push(`raise ${question}`), {}),
      lowerHand: () => (called.push('lower'), {}),
      leaveStage: () => (called.push('leave stage'), {}),
    }),
  );
});
afterEach(() => scene.strike());

function bar(shown: RoomView, showQueue = false): Shown {
  const room = scene.room(shown);
  scene.parts.player.room = room;
  return scene.show(ActionBar, { room, view: shown, action: primary(shown, me, start), showQueue, onmenu: () => void called.push('menu'), onqueue: () => void called.push('queue') });
}

const hand = (left: number | null, question = ''): RoomView =>
  view({ hand: create(HandSchema, { question, ...(left === null ? {} : { expiresAt: timestampFromMs(start + left) }) }), handPosition: 3 });

test('a listener can raise a hand, with a question', async () => {
  const page = bar(view());
  await page.press('primary-action');
  await page.type('hand-question', 'How do you test rockets?');
  await page.send();
  expect(called).toEqual(['raise How do you test rockets?']);
});

describe('a raised hand', () => {
  test('shows its place and the time left, and is lowered by the same button', async () => {
    const page = bar(hand(48_000));
    expect(page.get('hand-up').textContent).toContain('3');
    expect(page.get('hand-up').textContent).toContain('0:48');
    await page.press('primary-action');
    expect(called).toEqual(['lower']);
  });

  test('can be kept up only when it is about to fall, with its question', async () => {
    expect(bar(hand(48_000)).buttons).not.toContain('Keep it up');
    await scene.strike();
    const page = bar(hand(12_000, 'Why?'));
    await page.press('Keep it up');
    expect(called).toEqual(['raise Why?']);
  });

  test('that no moderator looks at has no clock', () => {
    const page = bar(hand(null));
    expect([page.find('hand-waits') !== null, page.root.querySelector('[role=timer]')]).toEqual([true, null]);
  });
});

test('on stage one steps down, unless nobody else would lead', async () => {
  const page = bar(view({ role: Role.SPEAKER }, { stage: [seat('lina00000001', Role.MODERATOR), seat(me)] }));
  await page.press('leave-stage');
  expect(called).toEqual(['leave stage']);
  await scene.strike();
  expect(bar(view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)] })).find('leave-stage')).toBeNull();
});

test('whoever sits in a booth has the microphone in reach below as well, said once only', () => {
  const page = bar(view({ role: Role.INTERPRETER }, { stage: [seat('lina00000001', Role.MODERATOR), seat(me, Role.INTERPRETER, { language: 'ar' })] }));
  expect([page.find('mute-toggle') !== null, page.root.querySelector('[role=status]')]).toEqual([true, null]);
});

test('who leaves goes home; who leads alone and thinks better of it stays', async () => {
  const page = bar(view());
  await page.press('leave-room');
  expect([scene.router.went, scene.parts.player.room]).toEqual([['/'], null]);
  await scene.strike();
  const alone = bar(view({ role: Role.MODERATOR }, { stage: [seat(me, Role.MODERATOR)] }));
  await alone.press('leave-room');
  scene.parts.player.question?.answer('stay');
  await alone.press('room-menu');
  expect([scene.router.went, called]).toEqual([['/'], ['menu']]);
});

test('the queue is a tool only where it does not stand beside', async () => {
  expect(bar(view()).find('open-queue')).toBeNull();
  await scene.strike();
  await bar(view(), true).press('open-queue');
  expect(called).toEqual(['queue']);
});
