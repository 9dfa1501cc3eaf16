// An expired sign-in is renewed once, however many calls wait for it, with a server that tests play.
import { Code, createRouterTransport } from '@connectrpc/connect';
import { beforeEach, expect, test } from 'vitest';
import { SignInService } from '../gen/majlis/auth/v1/sign_in_service_pb.ts';
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { refusedWith } from '../testing/server.ts';
import { Api } from './api.ts';
import { reasonOf } from './refusal.ts';

let expired: boolean;
let renewals: number;
let sent: (string | null)[];
/** How the sign-in refuses to be renewed, if it does. */
let over: Error | null;
let api: Api;
let told: unknown[];

beforeEach(() => {
  [expired, renewals, sent, over, told] = [false, 0, [], null, []];
  api = new Api((interceptors) =>
    createRouterTransport(
      ({ service }) => {
        service(RoomService, {
          listRooms: (_request, { requestHeader }) => {
            sent.push(requestHeader.get('X-Majlis-Client'));
            if (expired) throw refusedWith(Code.Unauthenticated, 'TOKEN_EXPIRED');
            return {};
          },
        });
        service(SignInService, {
          refreshSession: () => {
            renewals++;
            if (over) throw over;
            expired = false;
            return {};
          },
          finishEmailSignIn: () => {
            throw refusedWith(Code.Unauthenticated);
          },
        });
      },
      { transport: { interceptors } },
    ),
  );
  api.whenSignedOut((refusal) => void told.push(refusal));
});

test('calls that find the token expired are made again with a new one, which is asked for once', async () => {
  expired = true;
  await Promise.all([api.rooms.listRooms({}), api.rooms.listRooms({})]);
  expect([renewals, told]).toEqual([1, []]);
  expect(new Set(sent)).toEqual(new Set(['web']));
});

test('a sign-in that is over is told, and the call is refused as it was', async () => {
  expired = true;
  over = refusedWith(Code.Unauthenticated, 'NOT_SIGNED_IN');
  const refusal = await api.rooms.listRooms({}).catch((error: unknown) => error);
  expect([reasonOf(refusal), told]).toEqual(['TOKEN_EXPIRED', [null]]);
});

test('a suspension is told with its reason', async () => {
  expired = true;
  over = refusedWith(Code.PermissionDenied, 'ACCOUNT_SUSPENDED');
  await api.rooms.listRooms({}).catch(() => undefined);
  expect(told.map(reasonOf)).toEqual(['ACCOUNT_SUSPENDED']);
});

test('a code that is wrong renews nothing: nobody is signed in yet', async () => {
  await api.signIns.finishEmailSignIn({}).catch(() => undefined);
  expect(renewals).toBe(0);
});
