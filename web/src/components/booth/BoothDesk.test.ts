// @vitest-environment happy-dom
// The interpreter's desk: whether one is heard is never in doubt, and every act has a key.
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BoothSchema, BoothSignalKind, type Booth } from '../../gen/majlis/room_directory/v1/booth_pb.ts';
import { BoothService } from '../../gen/majlis/room_directory/v1/booth_service_pb.ts';
import { InputFault, InputVerdict } from '../../gen/majlis/room_directory/v1/input_quality_pb.ts';
import { Role, type StageSeat } from '../../gen/majlis/room_directory/v1/room_pb.ts';
import en from '../../i18n/en.json';
import { event, me, person, seat, start, view } from '../../room/fixtures.ts';
import type { LiveRoom } from '../../room/live.svelte.ts';
import { settled } from '../../testing/clock.ts';
import { Scene, type Shown } from '../../testing/page.ts';
import BoothDesk from './BoothDesk.svelte';

const vera = 'vera00000001';
let scene: Scene;
let asked: string[];
let room: LiveRoom;

beforeEach(() => {
  asked = [];
  scene = new Scene((router) =>
    router.service(BoothService, {
      takeOver: () => (asked.push('take over'), {}),
      sendBoothSignal: ({ kind, text }) => (asked.push(`${BoothSignalKind[kind]} ${text}`.trim()), {}),
      setHearing: ({ language }) => (asked.push(`hear ${language || 'the floor'}`), {}),
    }),
  );
  Object.assign(scene.sound, { state: 'on', kind: 'stage' });
  scene.microphone.state = 'live';
});
afterEach(() => scene.strike());

function desk(active: string, own: Partial<StageSeat> = {}, rehearsal = false, others: StageSeat[] = []): Shown {
  const mine = seat(me, Role.INTERPRETER, { language: 'ar', speaks: 'ar' });
  Object.assign(mine, own);
  const booth: Booth = create(BoothSchema, {
    language: 'ar',
    activeUserId: active,
    seats: [{ person: person(me), member: 1, connected: true }, { person: person(vera), member: 2, connected: true }],
  });
  const shown = { ...view({ role: Role.INTERPRETER, language: 'ar' }, { stage: [mine, ...others] }), booths: [booth, create(BoothSchema, { language: 'ru' })] };
  shown.room.rehearsal = rehearsal;
  room = scene.room(shown);
  // As the room's page gives it: whatever changes in the booth comes as another one.
  return scene.show(BoothDesk, {
    room,
    view: shown,
    seat: mine,
    get booth() {
      return room.feed.view?.booths[0] ?? booth;
    },
  });
}

/** The booth changes, as the room's stream tells it. */
function changes(change: (booth: Booth) => Partial<Booth>): void {
  const now = room.feed.view;
  const [booth, ...others] = now?.booths ?? [];
  if (!now || !booth) throw new Error('nobody is here');
  room.feed.view = { ...now, booths: [{ ...booth, ...change(booth) }, ...others] };
  flushSync();
}

async function key(code: string, name = 'keydown', on: EventTarget = window): Promise<void> {
  on.dispatchEvent(new KeyboardEvent(name, { code, key: code, bubbles: true, cancelable: true }));
  await settled();
  flushSync();
}

test.each([
  ['on air', me, {}, 'air'],
  ['on air without a microphone', me, { muted: true }, 'off'],
  ['ready', vera, {}, 'ready'],
  ['off air and silent', vera, { muted: true }, 'resting'],
] as [string, string, Partial<StageSeat>, string][])('whoever is %s reads that', (_, active, own, air) => {
  expect(desk(active, own).get('booth-desk').dataset['air']).toBe(air);
});

test('in a rehearsal nobody reads that they are on air, for no listener hears them', () => {
  const shown = desk(me, {}, true);
  expect(shown.get('booth-desk').dataset['air']).toBe('rehearsing');
  expect(shown.get('air').textContent).toBe(en['desk.rehearsing']);
});

test('the cough key silences as long as it is held', async () => {
  const shown = desk(me);
  await key('KeyC');
  expect([shown.get('booth-desk').dataset['air'], scene.microphone.coughing]).toEqual(['cough', true]);
  await key('KeyC', 'keyup');
  expect([shown.get('booth-desk').dataset['air'], scene.microphone.coughing]).toEqual(['air', false]);
});

test('one key takes over, others give signs, and none acts while one writes', async () => {
  const shown = desk(vera);
  await key('KeyT');
  await key('Digit5');
  await key('KeyS');
  await key('KeyR');
  expect(asked).toEqual(['take over', 'FIVE_MINUTES', 'SLOWER', 'hear ru']);
  await key('KeyT', 'keydown', shown.get('booth-line'));
  expect(asked).toHaveLength(4);
  scene.rooms.desk.switchKeys();
  await key('KeyT');
  expect(asked).toHaveLength(4);
});

test('whoever is on air cannot take over, and gives signs to nobody where nobody is: each says why, by button and by key', async () => {
  const shown = desk(me);
  await shown.press('take-over');
  await key('KeyT');
  expect([asked, shown.get('take-over').getAttribute('aria-disabled'), shown.get('why-kept').textContent]).toEqual([[], 'true', en['desk.whyOnAir']]);
  expect(scene.parts.toasts.list.map(({ text }) => text)).toEqual([en['desk.whyOnAir']]);
  await shown.press('sign-five');
  changes((booth) => ({ seats: booth.seats.map((one, n) => ({ ...one, connected: n === 0 })) }));
  await shown.press('sign-five');
  await key('Digit5');
  expect([asked, shown.get('why-alone').textContent]).toEqual([['FIVE_MINUTES'], en['desk.partnerAway']]);
  changes((booth) => ({ seats: booth.seats.slice(0, 1) }));
  await shown.press('sign-take-over');
  expect([asked, shown.get('why-alone').textContent]).toEqual([['FIVE_MINUTES'], en['desk.alone']]);
});

test('without a connection nobody reads that they are on air, whatever the server last said', () => {
  Object.assign(scene.sound, { state: 'reconnecting' });
  const shown = desk(me);
  expect([shown.get('booth-desk').dataset['air'], shown.get('air').textContent]).toEqual(['lost', en['desk.lost']]);
});

test('whoever is on air and gives no sound while the stage speaks is told, and their partner too', () => {
  const silent = { silentSince: timestampFromMs(start - 12_000) };
  const mine = desk(me);
  changes(() => silent);
  expect([mine.get('booth-state').dataset['state'], mine.get('booth-state').textContent]).toEqual(['silent', en['desk.silentHere']]);
  changes(() => ({ activeUserId: vera }));
  expect(mine.get('booth-state').textContent).toContain('vera');
});

test('whoever falls on air reads why', () => {
  const shown = desk(me);
  room.signs.fallsToMe('lost', vera);
  flushSync();
  expect(shown.get('booth-sign').textContent).toContain(en['desk.turnLost'].split('{{name}}')[1]);
});

test('how the stage sounds is shown with what to ask for, and how far the booth is behind', () => {
  const shown = desk(me, {}, false, [seat('omar00000001', Role.SPEAKER, { speaks: 'ru' }), seat('lina00000001', Role.MODERATOR)]);
  const speakers = [
    { userId: 'lina00000001', verdict: InputVerdict.GOOD, levelDbov: -22, bandHz: 19_800 },
    { userId: 'omar00000001', verdict: InputVerdict.POOR, faults: [InputFault.QUIET, InputFault.NARROW_BAND], levelDbov: -44, bandHz: 3_900, lossPercent: 0.25 },
  ];
  room.feed.take(event(7n, { case: 'inputQuality', value: { speakers, booths: [{ language: 'ar', delayMs: 2_430 }] } }));
  const sound = shown.get('stage-sound');
  expect([sound.dataset['poor'], sound.querySelector('summary')?.textContent?.replace(/\s+/g, ' ').trim()]).toEqual(['1', `omar ${en['quality.quiet']} · ${en['quality.narrow']}`]);
  expect([...sound.querySelectorAll('dd')].map((one) => one.textContent?.trim())).toEqual(['level -44 dB · up to 3.9 kHz · 0.3% lost', 'level -22 dB · up to 19.8 kHz · 0% lost']);
  const fits = (act: string): boolean => shown.get(`ask-${act}`).classList.contains('primary');
  expect(['slower', 'louder', 'softer', 'repeat', 'betterMicrophone'].filter(fits)).toEqual(['louder', 'betterMicrophone']);
  expect(shown.get('behind').textContent).toContain('2.4');
});

test('the clock of a turn is the server’s: a page that is loaded again goes on with it', () => {
  const shown = desk(me);
  changes(() => ({ heardSince: timestampFromMs(start - 754_000) }));
  expect(shown.root.querySelector('[role=timer]')?.textContent).toBe('12:34');
});

test('a line to the partner is sent, and what comes is shown with a name', async () => {
  const shown = desk(me);
  await shown.type('booth-line', 'Your numbers are right');
  await shown.send();
  expect(asked).toEqual(['CHAT Your numbers are right']);
  room.feed.take(event(7n, { case: 'boothSignalled', value: { language: 'ar', kind: BoothSignalKind.CHAT, text: 'Thank you', byUserId: vera } }));
  expect(shown.get('booth-chat').textContent).toContain('vera');
  expect(shown.get('booth-chat').textContent).toContain('Thank you');
});

test('a partner who asks to be relieved is read out at once', () => {
  const shown = desk(vera);
  room.feed.take(event(7n, { case: 'boothSignalled', value: { language: 'ar', kind: BoothSignalKind.TAKE_OVER_PLEASE, byUserId: vera } }));
  flushSync();
  expect(shown.get('booth-sign').textContent).toContain('vera');
  expect(shown.get('booth-sign').textContent).toContain(en['desk.saidTakeOver'].split('{{name}}')[1] ?? '');
  expect(shown.get('booth-sign').getAttribute('aria-live')).toBe('assertive');
});

test('the clock of a turn goes on through a mute, and begins anew with who is heard', async () => {
  const shown = desk(me);
  const time = (): string | null => shown.root.querySelector('[role=timer]')?.textContent ?? null;
  const change = (activeUserId: string, muted: boolean): void => changes((booth) => ({ activeUserId, seats: booth.seats.map((one) => ({ ...one, muted })) }));
  await scene.clock.pass(90_000);
  change(me, true);
  await scene.clock.pass(5_000);
  flushSync();
  expect(time()).toBe('1:35');
  change(vera, true);
  expect(time()).toBe('0:00');
});
