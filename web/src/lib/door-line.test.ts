import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { GetPlaceResponseSchema, type GetPlaceResponse } from '../gen/majlis/invite/v1/door_service_pb.ts';
import { DoorCause, DoorState } from '../gen/majlis/invite/v1/doors_pb.ts';
import { RedeemInvitationResponseSchema, type RedeemInvitationResponse } from '../gen/majlis/invite/v1/invite_service_pb.ts';
import { FakeClock, settled } from '../testing/clock.ts';
import { refusedWith } from '../testing/server.ts';
import { codeInLine, DoorLine, keepingIn, type Kept } from './door-line.svelte.ts';

const newcomer = { displayName: 'Lina', handle: 'lina' };

function refusal(reason: string, place = '2'): ConnectError {
  const error = refusedWith(Code.ResourceExhausted, reason);
  const info = error.details[0] as { debug: Record<string, unknown> };
  info.debug['metadata'] = { place, waiting: '5', wait_seconds: '120' };
  error.details.push({ type: 'google.rpc.RetryInfo', value: new Uint8Array(), debug: { retryDelay: '10s' } } as never);
  return error;
}

function placed(place: number, turn = false): GetPlaceResponse {
  return create(GetPlaceResponseSchema, { place: { place, waiting: 5, waitSeconds: 60, lookSeconds: 10, turn }, doors: { state: DoorState.PACED } });
}

/** A line before doors that answer one thing after another. */
class Hall {
  readonly clock = new FakeClock();
  kept: Kept | null = null;
  redeems: (ConnectError | null)[] = [];
  places: (GetPlaceResponse | ConnectError)[] = [];
  requests: string[] = [];
  looks = 0;
  left: object[] = [];
  unfit: ConnectError | null = null;
  entered = 0;
  refusals: unknown[] = [];
  readonly line = new DoorLine({
    code: 'codecodecode',
    invite: { redeemInvitation: ({ requestId }: { requestId: string }) => this.#redeem(requestId) } as never,
    doors: { getPlace: () => this.#look(), setTurnLetter: (asked: object) => this.#leave(asked) } as never,
    keeping: { load: () => this.kept, save: (kept) => (this.kept = kept) },
    clock: this.clock,
    random: () => 0.5,
    language: () => 'en',
    entered: () => (this.entered += 1),
    refused: (error) => this.refusals.push(error),
  });

  #redeem(request: string): Promise<RedeemInvitationResponse> {
    this.requests.push(request);
    const answer = this.redeems.shift();
    return answer ? Promise.reject(answer) : Promise.resolve(create(RedeemInvitationResponseSchema));
  }

  #leave(asked: object): Promise<object> {
    this.left.push(asked);
    return this.unfit ? Promise.reject(this.unfit) : Promise.resolve({});
  }

  #look(): Promise<GetPlaceResponse> {
    this.looks += 1;
    const answer = this.places.shift() ?? placed(1);
    return answer instanceof ConnectError ? Promise.reject(answer) : Promise.resolve(answer);
  }
}

test('while doors stand open a newcomer never sees a line', async () => {
  const hall = new Hall();
  await hall.line.enter(newcomer);
  expect([hall.entered, hall.line.waiting, hall.kept]).toEqual([1, false, null]);
});

test('who has to wait sees the place and comes in by itself with the same redemption', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PACED'), null];
  hall.places = [placed(1), placed(1, true)];
  await hall.line.enter(newcomer);
  expect([hall.line.waiting, hall.line.place, hall.line.others, hall.line.wait]).toEqual([true, 2, 5, 120]);
  await hall.clock.pass(10_000);
  expect([hall.line.place, hall.entered]).toEqual([1, 0]);
  await hall.clock.pass(10_000);
  expect([hall.entered, hall.kept]).toEqual([1, null]);
  expect(new Set(hall.requests).size).toBe(1);
});

test('a page that is opened again goes on with the redemption that was kept', async () => {
  const hall = new Hall();
  hall.kept = { request: 'a'.repeat(32), ...newcomer };
  hall.places = [placed(3)];
  expect(hall.line.resume()).toBe(true);
  await settled();
  expect(hall.line.place).toBe(3);
  hall.places = [placed(1, true)];
  await hall.clock.pass(10_000);
  expect([hall.entered, hall.requests]).toEqual([1, ['a'.repeat(32)]]);
});

test('a tab that finds the code spent asks whether it was this very redemption', async () => {
  const hall = new Hall();
  hall.kept = { request: 'a'.repeat(32), ...newcomer };
  hall.places = [refusedWith(Code.NotFound, 'INVITATION_INVALID')];
  hall.line.resume();
  await settled();
  expect([hall.entered, hall.refusals]).toEqual([1, []]);
});

test('a code that was taken back meanwhile is said, and asked about no more', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PAUSED'), refusedWith(Code.NotFound, 'INVITATION_INVALID')];
  hall.places = [refusedWith(Code.NotFound, 'INVITATION_INVALID')];
  await hall.line.enter(newcomer);
  expect(hall.line.paused).toBe(true);
  await hall.clock.pass(10_000);
  expect([hall.refusals.length, hall.line.waiting]).toEqual([1, false]);
  await hall.clock.pass(600_000);
  expect(hall.looks).toBe(1);
});

test('a line that is full is tried again, and nothing lost by an answer that does not come', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('LINE_FULL', ''), refusal('DOORS_PACED', '9')];
  await hall.line.enter(newcomer);
  expect([hall.line.hasPlace, hall.line.place]).toEqual([false, 0]);
  await hall.clock.pass(10_000);
  expect([hall.line.hasPlace, hall.line.place, hall.looks]).toEqual([true, 9, 0]);
  hall.places = [new ConnectError('gone', Code.Unavailable), placed(8)];
  await hall.clock.pass(15_000);
  expect(hall.line.place).toBe(8);
});

test('who waits is told while no answer comes, and looks at once when the network is back', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PACED')];
  hall.places = [new ConnectError('gone', Code.Unavailable), placed(1)];
  await hall.line.enter(newcomer);
  await hall.clock.pass(10_000);
  expect([hall.line.away, hall.line.place]).toEqual([true, 2]);
  hall.line.hurry();
  hall.line.hurry();
  await settled();
  expect([hall.line.away, hall.line.place, hall.looks]).toEqual([false, 1, 2]);
});

test('the wait counts down between looks, and stands still while nothing is heard', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PACED')];
  hall.places = [new ConnectError('gone', Code.Unavailable), placed(1)];
  await hall.line.enter(newcomer);
  await hall.clock.pass(4_000);
  expect(hall.line.wait).toBe(116);
  await hall.clock.pass(6_000);
  const left = hall.line.wait;
  expect(hall.line.away).toBe(true);
  await hall.clock.pass(3_000);
  expect(hall.line.wait).toBe(left);
  hall.line.hurry();
  await settled();
  expect(hall.line.wait).toBe(60);
  hall.line.stop();
  await hall.clock.pass(60_000);
  expect(hall.line.wait).toBe(60);
});

test('doors that an operator paused are not called full', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PAUSED')];
  hall.places = [create(GetPlaceResponseSchema, { place: { place: 1, lookSeconds: 10 }, doors: { state: DoorState.PAUSED, cause: DoorCause.OPERATOR } })];
  await hall.line.enter(newcomer);
  await hall.clock.pass(10_000);
  expect([hall.line.paused, hall.line.ordered]).toEqual([true, true]);
});

test('a name that was taken while waiting is handed back to be put right', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PACED'), refusedWith(Code.AlreadyExists, 'HANDLE_TAKEN'), null];
  hall.places = [placed(1, true)];
  await hall.line.enter(newcomer);
  await hall.clock.pass(10_000);
  expect([hall.refusals.length, hall.line.newcomer?.handle]).toEqual([1, 'lina']);
  await hall.line.enter({ ...newcomer, handle: 'lina_2' });
  expect(hall.entered).toBe(1);
});

test('what is kept in the browser and cannot be read is as nothing', () => {
  for (const text of [null, '', 'not JSON', '{"request":1}', 'null']) {
    expect(keepingIn(() => text, () => undefined, 'code').load()).toBeNull();
  }
});

test('the way back to a place is known until nothing waits by it any more', () => {
  const stored = new Map<string, string>();
  const recall = (key: string): string | null => stored.get(key) ?? null;
  const keep = (key: string, value: string | null): void => void (value === null ? stored.delete(key) : stored.set(key, value));
  expect(codeInLine(recall)).toBeNull();
  const [first, second] = ['firstcode', 'secondcode'].map((code) => keepingIn(recall, keep, code));
  first?.save({ request: 'a'.repeat(32), ...newcomer });
  second?.save({ request: 'b'.repeat(32), ...newcomer });
  expect(codeInLine(recall)).toBe('secondcode');
  first?.save(null);
  expect(codeInLine(recall)).toBe('secondcode');
  second?.save(null);
  expect([codeInLine(recall), stored.size]).toEqual([null, 0]);
});

test('who waits leaves an address where letters are sent, hears what refuses it, and can take it back', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PACED')];
  hall.places = [create(GetPlaceResponseSchema, { place: { place: 1, lookSeconds: 10, letter: true }, doors: { letters: true } })];
  await hall.line.enter(newcomer);
  expect([hall.line.letters, hall.line.letter]).toEqual([false, false]);
  await hall.clock.pass(10_000);
  expect([hall.line.letters, hall.line.letter]).toEqual([true, true]);
  await hall.line.leaveAddress('');
  expect(hall.line.letter).toBe(false);
  hall.unfit = refusedWith(Code.FailedPrecondition, 'LETTERS_SPENT');
  await expect(hall.line.leaveAddress('lina@example.org')).rejects.toThrow();
  expect(hall.line.letter).toBe(false);
  hall.unfit = null;
  await hall.line.leaveAddress('lina@example.org');
  expect([hall.line.letter, hall.left.at(-1)]).toEqual([true, { code: 'codecodecode', email: 'lina@example.org', locale: 'en' }]);
});

test('who finds another device in the place is told, comes in by nothing of itself, and takes the place back when asked to', async () => {
  const hall = new Hall();
  const elsewhere = (): ConnectError => refusedWith(Code.FailedPrecondition, 'PLACE_ELSEWHERE');
  hall.redeems = [refusal('DOORS_PACED'), refusal('DOORS_PACED', '1')];
  hall.places = [elsewhere(), refusedWith(Code.FailedPrecondition, 'INVITATION_CLAIMED'), elsewhere()];
  await hall.line.enter(newcomer);
  await hall.clock.pass(10_000);
  expect([hall.line.elsewhere, hall.line.away, hall.requests.length]).toEqual([true, false, 1]);
  await hall.clock.pass(30_000);
  expect([hall.looks, hall.line.elsewhere, hall.requests.length]).toEqual([3, true, 1]);
  await hall.line.takeBack();
  expect([hall.line.elsewhere, hall.line.place, new Set(hall.requests).size]).toEqual([false, 1, 1]);
  hall.places = [placed(1)];
  await hall.clock.pass(10_000);
  expect(hall.looks).toBe(4);
});

test('who was overtaken by another device hears so once that one is in', async () => {
  const hall = new Hall();
  hall.redeems = [refusal('DOORS_PACED'), refusedWith(Code.NotFound, 'INVITATION_INVALID')];
  hall.places = [refusedWith(Code.FailedPrecondition, 'PLACE_ELSEWHERE'), refusedWith(Code.NotFound, 'INVITATION_INVALID')];
  await hall.line.enter(newcomer);
  await hall.clock.pass(25_000);
  expect([hall.refusals.length, hall.entered]).toEqual([1, 0]);
});
