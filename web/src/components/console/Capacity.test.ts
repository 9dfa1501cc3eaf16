// @vitest-environment happy-dom
// What operators see of the relays' room, and what rooms to come would take.
import { afterEach, expect, test } from 'vitest';
import { CapacityService, CapacityVerdict } from '../../gen/majlis/room_directory/v1/capacity_service_pb.ts';
import { settled } from '../../testing/clock.ts';
import { Scene } from '../../testing/page.ts';
import Capacity from './Capacity.svelte';

const relays = [
  { relayId: 'relay00000', accepting: true, fullness: 0.304, listenersMore: 1210, smallRoomsMore: 57 },
  { relayId: 'relay00001', accepting: false, fullness: 0.8, listenersMore: 300, smallRoomsMore: 9 },
];
const gateways = [{ gatewayId: 'gateway0000001', listeners: 35, listenerLimit: 4000, listenersMore: 3965, megabitsPerSecond: 1.4, megabitsLimit: 200 }];
let scene: Scene | undefined;

afterEach(() => scene?.strike());

/** Without the marks that keep numbers and names in their own direction. */
function plain(text: string): string {
  return text.replace(/[\u2066-\u2069]/g, '');
}

async function open(verdict: CapacityVerdict): Promise<{ shown: ReturnType<Scene['show']>; plans: object[] }> {
  const plans: object[] = [];
  scene = new Scene((router) => {
    router.service(CapacityService, {
      forecastCapacity: ({ rooms, listeners, overHttps, speakers, languages }) => {
        if (rooms > 0) plans.push({ rooms, listeners, overHttps, speakers, languages });
        return rooms > 0 ? { verdict, ...(rooms > 1 ? { roomsCarried: 2, relays: 3 } : { roomsCarried: 0, relays: 1 }), listenersCarried: 900, usualWork: 99_000n, megabitsPerSecond: 12.3, cores: 0.31, fleet: relays, ...(overHttps ? { overHttps: { listeners: BigInt(overHttps * rooms), listenersMore: 3965n, gateways: 2, megabitsPerSecond: 320, cores: 0.8, mebibytes: 500 } } : {}) } : { fleet: relays, gateways };
      },
    });
  });
  const shown = scene.show(Capacity, {});
  await settled();
  return { shown, plans };
}

test('each relay says how full it is and how much more it takes, and one that is being emptied takes nobody', async () => {
  const { shown } = await open(CapacityVerdict.CARRIED);
  expect(shown.text).toContain('30');
  expect(shown.text).toContain('1,210');
  expect(shown.text).toContain('being emptied');
  expect(shown.text).not.toContain('300');
});

test('a plan is asked about as it was typed, in any digits, and told in words and numbers', async () => {
  const { shown, plans } = await open(CapacityVerdict.MORE_RELAYS);
  await shown.type('capacity-rooms', '٤');
  await shown.type('capacity-listeners', '1000');
  await shown.send();
  expect(plans).toEqual([{ rooms: 4, listeners: 1000, overHttps: 0, speakers: 1, languages: 0 }]);
  const told = shown.get('capacity-told').textContent;
  expect(told).toContain('Of these rooms the relays carry 2');
  expect(told).toContain('With at most 900 listeners in each');
  expect(told).toContain('3 empty relays like the largest carry');
  expect(told).toContain('99,000');
});

test('gateways say how many hear over the web and how many more they let in, and a plan what it takes of them', async () => {
  const { shown, plans } = await open(CapacityVerdict.MORE_GATEWAYS);
  const row = plain(shown.get('capacity-gateway').textContent);
  expect(row).toContain('35 of 4,000');
  expect(row).toContain('3,965');
  expect(row).toContain('2 of 200');
  await shown.type('capacity-rooms', '4');
  await shown.type('capacity-over-https', '2000');
  await shown.send();
  expect(plans).toMatchObject([{ rooms: 4, overHttps: 2000 }]);
  const told = plain(shown.get('capacity-told').textContent);
  expect(told).toContain('let in over the web now: 3,965 of 8,000');
  expect(told).toContain('0.8');
});

test('one room that is too big is told without a plural, with what would fit', async () => {
  const { shown } = await open(CapacityVerdict.MORE_RELAYS);
  await shown.type('capacity-rooms', '1');
  await shown.type('capacity-listeners', '1200');
  await shown.send();
  const told = shown.get('capacity-told').textContent;
  expect(told).toContain('carry no such room');
  expect(told).toContain('With at most 900 listeners');
  expect(told).toContain('1 empty relay like the largest carries');
});

test('an answer goes when the plan is another one, and is there again when it is as it was asked', async () => {
  const { shown } = await open(CapacityVerdict.MORE_RELAYS);
  await shown.type('capacity-rooms', '4');
  await shown.send();
  await shown.type('capacity-rooms', '0');
  expect(shown.root.querySelector('[data-testid="capacity-told"]')).toBeNull();
  await shown.type('capacity-rooms', '4');
  expect(shown.get('capacity-told').textContent).toContain('99,000');
});

test('what is no plan cannot be asked about', async () => {
  const { shown } = await open(CapacityVerdict.CARRIED);
  for (const typed of ['', '0', 'many', '1e3', '9999999']) {
    await shown.type('capacity-rooms', typed);
    expect((shown.get('capacity-ask') as HTMLButtonElement).disabled, typed).toBe(true);
  }
});
