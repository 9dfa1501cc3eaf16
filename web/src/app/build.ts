// Builds every part of the client once, by hand: the only place that knows which part is given which.
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import type { Words } from '../i18n/i18n.svelte.ts';
import { Api, ask, callAndGo, wayTo } from '../lib/api.ts';
import { waitsBy } from '../lib/back-off.ts';
import { BrowserClock, BrowserNetwork } from '../lib/clock.ts';
import { everySecond } from '../lib/now.svelte.ts';
import { Router } from '../lib/router.svelte.ts';
import { Session } from '../lib/session.svelte.ts';
import { Sharing } from '../lib/share.ts';
import { openChannel, Tabs } from '../lib/tabs.ts';
import type { Theme } from '../lib/theme.svelte.ts';
import { Toasts } from '../lib/toasts.svelte.ts';
import { Chime } from '../media/chime.ts';
import { Levels } from '../media/levels.ts';
import { Microphone } from '../media/microphone.svelte.ts';
import { MediaSession } from '../media/session.ts';
import { RoomActions } from '../room/actions.ts';
import { RoomEvents } from '../room/events.ts';
import { LiveRoom, type RoomParts } from '../room/live.svelte.ts';
import { opensRooms } from '../room/open.ts';
import { Player } from '../room/player.svelte.ts';
import { Sound } from '../room/sound.svelte.ts';
import { takeSlot } from '../room/stream-slots.ts';
import type { Parts } from './parts.ts';

/** Texts and theme come first: the page is shown in them before the rest is there. */
export function build(words: Words, theme: Theme): Parts {
  const clock = new BrowserClock();
  const network = new BrowserNetwork();
  const waits = waitsBy(clock, Math.random);
  const api = new Api(wayTo(location.origin));
  const router = new Router();
  const toasts = new Toasts(words, clock);
  const sharing = new Sharing(toasts);
  const session = new Session({ api, router, words, tabs: new Tabs(openChannel()) });
  const microphone = new Microphone();
  const levels = new Levels(clock);
  const chime = new Chime(clock);
  const player = new Player(toasts, clock);
  const actions = new RoomActions({ api, toasts, words, sharing, microphone });
  const streams = { ask, renew: () => api.renewSignIn(), slot: () => takeSlot(), clock, waits, network };
  const room: RoomParts = {
    rooms: api.rooms,
    stage: api.stage,
    leaveAndGo: (roomId, epoch) => callAndGo(RoomService.typeName, 'LeaveRoom', { roomId, epoch: epoch.toString() }),
    stream: (roomId, listener) => new RoomEvents(roomId, listener, streams),
    sound: (source) =>
      new Sound(source, { session: (kind, tell, servers) => new MediaSession(kind, tell, clock, servers), microphone, levels, clock, waits, network, random: Math.random }),
    microphone,
    chime: () => chime.ring(),
    toasts,
    words,
    clock,
    waits,
  };
  const openRoom = opensRooms(player, (id, key) => new LiveRoom(id, key, session.me, room));
  return { api, session, router, toasts, words, theme, sharing, microphone, levels, chime, player, openRoom, actions, clock, network, waits, now: everySecond(clock) };
}
