// What the client is made of, as its components are given it: by Svelte's context, from the one place that built it.
import { getContext, setContext } from 'svelte';
import type { Words } from '../i18n/i18n.svelte.ts';
import type { Api } from '../lib/api.ts';
import type { Waits } from '../lib/back-off.ts';
import type { Clock, Network } from '../lib/clock.ts';
import type { Router } from '../lib/router.svelte.ts';
import type { Session } from '../lib/session.svelte.ts';
import type { Sharing } from '../lib/share.ts';
import type { Theme } from '../lib/theme.svelte.ts';
import type { Toasts } from '../lib/toasts.svelte.ts';
import type { Chime } from '../media/chime.ts';
import type { Levels } from '../media/levels.ts';
import type { Microphone } from '../media/microphone.svelte.ts';
import type { RoomActions } from '../room/actions.ts';
import type { BoothActions } from '../room/booth-actions.ts';
import type { CaptionActions } from '../room/caption-actions.ts';
import type { Reading } from '../room/reading.svelte.ts';
import type { Choices } from '../room/choices.ts';
import type { Desk } from '../room/desk.svelte.ts';
import type { KeptPlaces } from '../room/kept-places.svelte.ts';
import type { LiveRoom } from '../room/live.svelte.ts';
import type { OpenRoom } from '../room/open.ts';
import type { Thrift } from '../room/thrift.svelte.ts';
import type { Player } from '../room/player.svelte.ts';

/** What others see of a class: anything of this shape will do in its place. */
type Public<T> = Pick<T, keyof T>;

export interface Parts {
  api: Public<Api>;
  session: Public<Session>;
  router: Public<Router>;
  toasts: Public<Toasts>;
  words: Public<Words>;
  theme: Public<Theme>;
  sharing: Public<Sharing>;
  levels: Public<Levels>;
  player: Player;
  /** Places before full rooms that this tab may go back to. */
  places: KeptPlaces;
  /** What was chosen by hand in the rooms of this tab. */
  choices: Choices;
  /** Whether this browser hears rooms in few bits. */
  thrift: Thrift;
  clock: Clock;
  network: Network;
  waits: Waits;
  /** Milliseconds since 1970, looked at anew each second. */
  now: () => number;
}

/** What only rooms need: it comes with the first of them, for the first screen does without. */
export interface RoomSide {
  openRoom: OpenRoom;
  actions: Public<RoomActions>;
  booths: Public<BoothActions>;
  desk: Public<Desk>;
  captions: Public<CaptionActions>;
  reading: Public<Reading>;
  microphone: Public<Microphone>;
  chime: Public<Chime>;
  /** Shows the room that plays, or none, where the device shows what sounds. */
  onLockScreen(room: LiveRoom | null): void;
}

const key = Symbol('parts');
const roomKey = Symbol('rooms');

/** The context in which components find the parts. */
export function contextOf(parts: Parts): Map<symbol, Parts> {
  return new Map([[key, parts]]);
}

/** The parts, for the component that is being made. */
export function given(): Parts {
  return getContext<Parts>(key);
}

export function roomContextOf(side: RoomSide): Map<symbol, RoomSide> {
  return new Map([[roomKey, side]]);
}

/** Gives everything below in the page what rooms need. */
export function giveRooms(side: RoomSide): void {
  setContext(roomKey, side);
}

/** What rooms need, for the component that is being made in one. */
export function inRoom(): RoomSide {
  return getContext<RoomSide>(roomKey);
}
