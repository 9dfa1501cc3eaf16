// Getting into a room and out of it, at a door that tests open.
import { Code, ConnectError } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, test } from 'vitest';
import { GetMediaPermitResponseSchema, JoinRoomResponseSchema, type GetMediaPermitResponse, type JoinRoomResponse } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { OwnSeatSchema, type MediaPermit, type OwnSeat } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { waitsBy } from '../lib/back-off.ts';
import { Refusal } from '../lib/refusal.ts';
import { FakeClock, settled } from '../testing/clock.ts';
import { FakeBox, FakeLocks } from '../testing/room.ts';
import { Entry, mostTries, worthAnotherTry, type Seated, type Seats } from './entry.svelte.ts';
import { snapshot } from './fixtures.ts';

const seated = create(JoinRoomResponseSchema, { snapshot: snapshot(), seat: { epoch: 3n }, permit: { permit: 'seat', path: '/whep/room00000001' } });

/** Answers each call with the next of what was prepared, or with a seat. */
class FakeDoor implements Seats {
  asked = 0;
  readonly left: bigint[] = [];
  readonly shown: string[] = [];
  readonly slips: string[] = [];
  readonly overWeb: boolean[] = [];
  readonly givenUp: string[] = [];
  readonly answers: (Error | Promise<JoinRoomResponse>)[] = [];
  shut: Error | null = null;
  permits: Error | GetMediaPermitResponse = create(GetMediaPermitResponseSchema, { permit: { permit: 'again' }, seat: { epoch: 5n } });

  join = async (ticket: string, slip: string, overWeb: boolean): Promise<JoinRoomResponse> => {
    this.asked++;
    this.overWeb.push(overWeb);
    this.slips.push(slip);
    this.shown.push(ticket);
    const answer = this.shut ?? this.answers.shift() ?? seated;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  permit = async (): Promise<GetMediaPermitResponse> => {
    if (this.permits instanceof Error) throw this.permits;
    return this.permits;
  };
  leave = async (epoch: bigint): Promise<void> => void this.left.push(epoch);
  leaveLine = async (ticket: string): Promise<void> => void this.givenUp.push(ticket);
}

/** Who comes in. */
class FakePerson implements Seated {
  readonly seats: JoinRoomResponse[] = [];
  readonly adopted: (OwnSeat | undefined)[] = [];
  readonly admittedWith: (MediaPermit | undefined)[] = [];
  seated = (answer: JoinRoomResponse): void => void this.seats.push(answer);
  adopt = (seat: OwnSeat | undefined): void => void this.adopted.push(seat);
  admitted = async (permit: MediaPermit | undefined): Promise<void> => void this.admittedWith.push(permit);
}

const placed = (position: number, values: { offered?: boolean } = {}): Promise<JoinRoomResponse> =>
  Promise.resolve(
    create(JoinRoomResponseSchema, {
      place: { ticket: `ticket${position}`, position, waitingCount: 9, knockAfter: { seconds: 4n }, keptFor: { seconds: 120n }, ...values },
    }),
  );
/** Sent away by a crowd, with a slip and the time to come back. */
const crowded = (slip: string, seconds: number): ConnectError => {
  const error = new ConnectError('very many people come at once', Code.Unavailable);
  error.details = [
    { type: 'google.rpc.ErrorInfo', value: new Uint8Array(), debug: { reason: 'CROWDED', domain: 'majlis', metadata: { slip } } },
    { type: 'google.rpc.RetryInfo', value: new Uint8Array(), debug: { retryDelay: `${seconds}s` } },
  ];
  return error;
};
const away = (reason: string): Refusal => new Refusal(503, reason);
let clock: FakeClock;
let door: FakeDoor;
let person: FakePerson;
let entry: Entry;
let box: FakeBox;
let locks: FakeLocks;

beforeEach(() => {
  box = new FakeBox();
  locks = new FakeLocks();
  clock = new FakeClock();
  door = new FakeDoor();
  person = new FakePerson();
  entry = new Entry(door, person, waitsBy(clock, () => 1), clock, box, locks);
});

test('who is let in has a seat, and goes in with its permit', async () => {
  await entry.enter();
  expect([person.seats, person.admittedWith]).toEqual([[seated], [seated.permit]]);
  expect([entry.waiting, entry.refusal]).toEqual([false, null]);
});

test('what goes wrong inside is said', async () => {
  const failed = new Error('no sound');
  person.admitted = () => Promise.reject(failed);
  await entry.enter();
  expect([entry.refusal, entry.waiting]).toEqual([failed, false]);
});

describe('listening over the web instead of waiting for a relay', () => {
  test('comes in at once, with the place that was waited at, and asks for no relay', async () => {
    door.answers.push(placed(3));
    await entry.enter();
    await entry.listenOverWeb();
    expect([door.overWeb, door.shown, person.seats.length, entry.place]).toEqual([[false, true], ['', 'ticket3'], 1, null]);
  });

  test('waits for the answer of a knock that is under way, so that what was chosen is not lost', async () => {
    let answer: (answer: JoinRoomResponse) => void = () => undefined;
    door.answers.push(placed(3), new Promise((resolve) => (answer = resolve)));
    await entry.enter();
    entry.hurry();
    const chosen = entry.listenOverWeb();
    answer(await placed(2));
    await chosen;
    expect([door.overWeb, person.seats.length]).toEqual([[false, false, true], 1]);
  });

  test('goes on by itself where the seats have gone meanwhile, and is a wish for this way in alone', async () => {
    door.answers.push(placed(3), placed(2));
    await entry.enter();
    await entry.listenOverWeb();
    expect([entry.place?.position, entry.overWeb]).toEqual([2, true]);
    await clock.pass(4_000);
    expect([door.overWeb, person.seats.length, entry.overWeb]).toEqual([[false, true, true], 1, false]);
    door.permits = new Refusal(409, 'NOT_IN_ROOM');
    expect(await entry.permit('audience')).toEqual(seated.permit);
    expect(door.overWeb.at(-1)).toBe(false);
  });
});

describe('a room without a place just now', () => {
  test('is entered by itself once there is one', async () => {
    door.answers.push(away('NO_RELAY'), away('PART_UNAVAILABLE'));
    await entry.enter();
    expect([entry.waiting, person.seats]).toEqual([true, []]);
    await clock.pass(2_000);
    // Why it does not open stays on show meanwhile.
    expect([entry.waiting, (entry.refusal as Refusal).reason]).toEqual([true, 'PART_UNAVAILABLE']);
    await clock.pass(4_000);
    expect([entry.waiting, entry.refusal, person.seats.length]).toEqual([false, null, 1]);
    await clock.pass(600_000);
    expect(door.asked).toBe(3);
  });

  test('is left alone by who left the page, whenever they did', async () => {
    door.answers.push(away('NO_RELAY'));
    await entry.enter();
    entry.giveUp();
    await clock.pass(600_000);
    expect(door.asked).toBe(1);

    entry = new Entry(door, person, waitsBy(clock, () => 1), clock, box, locks);
    door.answers.push(away('NO_RELAY'));
    const first = entry.enter();
    entry.giveUp();
    await first;
    await clock.pass(600_000);
    expect([entry.waiting, door.asked]).toEqual([false, 2]);
  });

  test('gives a seat back that came after the page was left', async () => {
    let open: (answer: JoinRoomResponse) => void = () => undefined;
    door.answers.push(away('NO_RELAY'), new Promise((resolve) => (open = resolve)));
    await entry.enter();
    await clock.pass(2_000);
    entry.giveUp();
    open(seated);
    await settled();
    expect([door.left, person.seats, person.admittedWith]).toEqual([[3n], [], []]);
  });

  test('is not asked twice at once', async () => {
    door.answers.push(away('NO_RELAY'));
    await entry.enter();
    await Promise.all([entry.enter(), entry.enter()]);
    await clock.pass(600_000);
    expect([door.asked, person.admittedWith.length]).toEqual([2, 1]);
  });

  test('is knocked at while it is full, since seats come free, but not where it is shut', async () => {
    door.answers.push(away('ROOM_FULL'));
    await entry.enter();
    expect(entry.waiting).toBe(true);
    await clock.pass(2_000);
    expect(person.seats.length).toBe(1);
    entry = new Entry(door, person, waitsBy(clock, () => 1), clock, box, locks);
    door.answers.push(new Refusal(403, 'BLOCKED'));
    await entry.enter();
    expect(entry.waiting).toBe(false);
  });

  test('is not knocked at for ever', async () => {
    door.shut = away('NO_RELAY');
    await entry.enter();
    await clock.pass(3_600_000);
    expect([entry.waiting, door.asked]).toEqual([false, mostTries + 1]);
    await clock.pass(3_600_000);
    expect(door.asked).toBe(mostTries + 1);
  });
});

describe('a place in the line', () => {
  test('is shown and moves, and whoever is next comes in by themselves', async () => {
    door.answers.push(placed(3), placed(1));
    await entry.enter();
    expect([entry.place?.position, entry.waiting, person.seats]).toEqual([3, true, []]);
    await clock.pass(4_000);
    expect([entry.place?.position, entry.firstPosition]).toEqual([1, 3]);
    await clock.pass(4_000);
    expect([entry.place, person.seats.length, box.ticket]).toEqual([null, 1, '']);
    expect(door.shown).toEqual(['', 'ticket3', 'ticket1']);
    await clock.pass(600_000);
    expect(door.asked).toBe(3);
  });

  test('is taken up at once where a seat is held', async () => {
    door.answers.push(placed(1, { offered: true }));
    await entry.enter();
    await clock.pass(0);
    expect(person.seats.length).toBe(1);
  });

  test('stays on show while the server is out of reach, and is held on to', async () => {
    door.answers.push(placed(2), away('PART_UNAVAILABLE'), placed(2));
    await entry.enter();
    await clock.pass(4_000);
    expect([entry.place?.position, (entry.refusal as Refusal).reason]).toEqual([2, 'PART_UNAVAILABLE']);
    await clock.pass(2_000);
    expect([entry.place?.position, entry.refusal]).toEqual([2, null]);
    expect(door.shown).toEqual(['', 'ticket2', 'ticket2']);
  });

  test('goes on after the page was loaded again, with its ticket', async () => {
    box.ticket = 'ticket7';
    door.answers.push(placed(6));
    await entry.enter();
    expect([door.shown, entry.place?.position]).toEqual([['ticket7'], 6]);
  });

  test('is begun anew where the ticket is none any more', async () => {
    box.ticket = 'old';
    door.answers.push(new Refusal(400, 'TICKET_INVALID'), placed(5));
    await entry.enter();
    await clock.pass(0);
    expect([door.shown, entry.place?.position, entry.refusal]).toEqual([['old', ''], 5, null]);
  });

  test('goes to another device, which is said, and comes back when it is asked for here', async () => {
    door.answers.push(placed(2), new Refusal(409, 'TICKET_ELSEWHERE'), placed(2));
    await entry.enter();
    await clock.pass(4_000);
    expect([entry.place, entry.waiting, (entry.refusal as Refusal).reason]).toEqual([null, false, 'TICKET_ELSEWHERE']);
    await clock.pass(600_000);
    expect(door.asked).toBe(2);
    await entry.enter();
    expect([door.shown.at(-1), entry.place?.position]).toEqual(['', 2]);
  });

  test('comes back by itself once another tab that has it is closed while it waits, and not once that left or went in', async () => {
    door.answers.push(placed(2), new Refusal(409, 'TICKET_ELSEWHERE'), placed(2));
    await entry.enter();
    expect(locks.held).toBe(1);
    await clock.pass(4_000);
    expect([locks.held, entry.mayReturn]).toEqual([0, true]);
    locks.left?.();
    await settled();
    expect([door.asked, entry.mayReturn]).toEqual([2, false]);
    await entry.enter();
    door.answers.push(new Refusal(409, 'TICKET_ELSEWHERE'), placed(2));
    await clock.pass(4_000);
    box.stands = true;
    locks.left?.();
    await settled();
    expect([entry.place?.position, entry.refusal, locks.held]).toEqual([2, null, 1]);
  });

  test('ends with the room, which is said instead of a connection that is gone', async () => {
    door.answers.push(placed(2), new Refusal(404, 'ROOM_NOT_FOUND'));
    await entry.enter();
    await clock.pass(4_000);
    expect([entry.place, entry.waiting, (entry.refusal as Refusal).reason, box.ticket]).toEqual([null, false, 'ROOM_NOT_FOUND', '']);
    await clock.pass(600_000);
    expect(door.asked).toBe(2);
  });

  test('is no longer shown, but kept, once nobody tries for it any more', async () => {
    door.answers.push(placed(2), ...Array.from({ length: mostTries + 1 }, () => away('PART_UNAVAILABLE')), placed(1));
    await entry.enter();
    await clock.pass(3_600_000);
    expect([entry.place, entry.waiting, box.ticket]).toEqual([null, false, 'ticket2']);
    await entry.enter();
    expect([door.shown.at(-1), entry.place?.position]).toEqual(['ticket2', 1]);
  });

  test('is given up by who leaves the line, and kept by who only closes the page', async () => {
    door.answers.push(placed(2), placed(2));
    await entry.enter();
    entry.giveUp();
    await clock.pass(600_000);
    expect([door.asked, door.givenUp, box.ticket]).toEqual([1, [], 'ticket2']);
    entry = new Entry(door, person, waitsBy(clock, () => 1), clock, box, locks);
    await entry.enter();
    await entry.leaveLine();
    await clock.pass(600_000);
    expect([door.asked, door.givenUp, box.ticket, entry.place]).toEqual([2, ['ticket2'], '', null]);
  });
});

test('a seat that comes after the person left the room is given back', async () => {
  let open: (answer: JoinRoomResponse) => void = () => undefined;
  door.answers.push(new Promise((resolve) => (open = resolve)));
  const entering = entry.enter();
  entry.close();
  open(seated);
  await entering;
  expect([door.left, person.seats, entry.left]).toEqual([[3n], [], true]);
});

test('who is in stays in when the page goes away', async () => {
  await entry.enter();
  entry.giveUp();
  door.permits = away('NOT_IN_ROOM');
  expect((await entry.permit('audience')).permit).toBe('seat');
});

describe('a permit', () => {
  test('comes with what became of the seat', async () => {
    await entry.enter();
    expect((await entry.permit('stage')).permit).toBe('again');
    expect(person.adopted).toEqual([create(OwnSeatSchema, { epoch: 5n })]);
  });

  test('takes the seat again where it is gone, once for all who ask', async () => {
    await entry.enter();
    door.permits = new Refusal(403, 'NOT_IN_ROOM');
    const both = await Promise.all([entry.permit('audience'), entry.permit('audience')]);
    expect(both.map(({ permit }) => permit)).toEqual(['seat', 'seat']);
    expect([door.asked, person.admittedWith.length]).toEqual([2, 1]);
  });

  test('is refused with the reason the server gave', async () => {
    door.permits = new Refusal(403, 'REMOVED');
    await expect(entry.permit('audience')).rejects.toBe(door.permits);
  });
});

describe('a closed door', () => {
  test('is worth another knock where the reason passes, a bounded number of times', () => {
    for (const reason of ['ROOM_FULL', 'NO_RELAY', 'RELAY_FULL', 'RELAY_BUSY', 'RELAY_DRAINING', 'PART_UNAVAILABLE', 'RATE_LIMITED']) {
      expect(worthAnotherTry(away(reason), 0), reason).toBe(true);
      expect(worthAnotherTry(away(reason), mostTries), reason).toBe(false);
    }
    expect(worthAnotherTry(new ConnectError('away', Code.Unavailable), 0)).toBe(true);
    expect(worthAnotherTry(new TypeError('failed to fetch'), 0)).toBe(true);
  });

  test('is left to the person where it does not pass by itself', () => {
    for (const reason of ['REMOVED', 'BLOCKED', 'ROOM_ENDED', 'ROOM_CLOSED', 'SCOPE_MISSING']) {
      expect(worthAnotherTry(new Refusal(403, reason), 0), reason).toBe(false);
    }
  });
});

test('who is sent away by a crowd comes back just when told, with the slip that says since when they have been coming', async () => {
  door.answers.push(crowded('first', 20), crowded('second', 5), placed(7));
  await entry.enter();
  await clock.pass(19_900);
  expect([door.asked, entry.waiting]).toEqual([1, true]);
  await clock.pass(200);
  await clock.pass(5_000);
  expect([door.slips, entry.place?.position]).toEqual([['', 'first', 'second'], 7]);
  await clock.pass(4_000);
  expect(door.slips.at(-1), 'the ticket says it from here on').toBe('');
});
