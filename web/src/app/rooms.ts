// Builds what only rooms need, once, of the parts that are there already.
import { RoomService } from '../gen/majlis/room_directory/v1/room_service_pb.ts';
import { ask, callAndGo } from '../lib/api.ts';
import { keep, recall } from '../lib/storage.ts';
import { Ear } from '../media/ear/ear.ts';
import { StageEar, type Hears } from '../media/stage-ear.ts';
import { BoothActions } from '../room/booth-actions.ts';
import { CaptionActions } from '../room/caption-actions.ts';
import { followCaptions } from '../room/caption-events.ts';
import { Reading } from '../room/reading.svelte.ts';
import { Desk } from '../room/desk.svelte.ts';
import { understood } from '../room/hearing.ts';
import { Chime } from '../media/chime.ts';
import { LockScreen } from '../media/lock-screen.ts';
import { Microphone } from '../media/microphone.svelte.ts';
import { MediaSession } from '../media/session.ts';
import { longer } from '../media/live-edge.ts';
import { openSink } from '../media/sink.ts';
import { isFinal, WebSession, type WebParts } from '../media/web-session.ts';
import { Passage, Uplink } from '../media/uplink/uplink.ts';
import { openVoice } from '../media/uplink/voice.ts';
import { RoomActions } from '../room/actions.ts';
import { RoomEvents } from '../room/events.ts';
import { listenPath, openListening } from '../room/listen-path.ts';
import { LiveRoom, type RoomParts } from '../room/live.svelte.ts';
import { opensRooms } from '../room/open.ts';
import { placeLocks } from '../room/place-locks.ts';
import { RungHint } from '../room/rungs.ts';
import type { SoundSource } from '../room/sound-parts.ts';
import { Sound } from '../room/sound.svelte.ts';
import { sounding } from '../room/sounding.ts';
import type { StreamParts } from '../room/sse-follower.ts';
import { takeSlot } from '../room/stream-slots.ts';
import { WebSpeaker } from '../room/web-speaker.svelte.ts';
import type { Parts, RoomSide } from './parts.ts';

export function buildRooms({ api, choices, clock, levels, network, places, player, session, sharing, thrift, toasts, waits, words }: Parts): RoomSide {
  const microphone = new Microphone();
  const chime = new Chime(clock);
  const passage = new Passage();
  const ear = new StageEar(() => openEar(), clock);
  const hint = new RungHint({ recall: () => recall('rung'), keep: (text) => keep('rung', text), network: kindOfNetwork, now: Date.now });
  const streams = { ask, renew: () => api.renewSignIn(), slot: () => takeSlot(), clock, waits, network };
  const room: RoomParts = {
    rooms: api.rooms,
    stage: api.stage,
    leaveAndGo: (roomId, epoch) => callAndGo(RoomService.typeName, 'LeaveRoom', { roomId, epoch: epoch.toString() }),
    stream: (roomId, listener) => new RoomEvents(roomId, listener, streams),
    captions: (roomId, language, listener) => followCaptions(roomId, language, listener, streams),
    speaker: (source) =>
      new WebSpeaker(
        source,
        { uplink: (events) => new Uplink({ clock, voice: openVoice, socket: openSocket, fetch: (input, init) => fetch(input, init), passage }, events), microphone, waits, network },
      ),
    sound: (source, roomId, uplink) =>
      new Sound(source, {
        session: (kind, tell, servers) => new MediaSession(kind, tell, clock, servers),
        web: (kind, tell) => new WebSession(kind, tell, listeningTo(roomId, source, streams, () => thrift.on)),
        microphone,
        levels,
        ear,
        clock,
        waits,
        network,
        hint,
        uplink,
        random: Math.random,
      }),
    microphone,
    chime: (urgent) => chime.ring(urgent),
    toasts,
    words,
    clock,
    waits,
    tickets: (roomId, roomKey) => places.box(roomId, roomKey),
    understands: () => understood(session.account?.profile?.spokenLanguages ?? [], navigator.languages),
    choices,
    thrift,
    ear,
    levels,
    places: (roomId) => placeLocks(`majlis-place-${session.me}-${roomId}`),
  };
  const lockScreen = new LockScreen(navigator.mediaSession, (about) => new MediaMetadata(about));
  return {
    openRoom: opensRooms(player, (id, key) => new LiveRoom(id, key, session.me, room)),
    actions: new RoomActions({ api, toasts, words, sharing, microphone }),
    booths: new BoothActions({ api, toasts, words }),
    captions: new CaptionActions({ api, toasts }),
    reading: new Reading({ recall: () => recall('captions'), keep: (text) => keep('captions', text) }),
    desk: new Desk({ ear, recall: () => recall('desk'), keep: (text) => keep('desk', text) }),
    microphone,
    chime,
    onLockScreen: (room) => lockScreen.show(room && sounding(room, words)),
  };
}

/** What a stream over HTTPS of a room is opened with, and played by. */
function listeningTo(roomId: string, source: Pick<SoundSource, 'listening'>, streams: StreamParts, thrift: () => boolean): WebParts {
  const { clock, waits } = streams;
  let path = '';
  return {
    open: (ending, signal) => source.listening((wish) => openListening(streams, (path = listenPath(roomId, wish, ending)), signal)),
    address: () => path,
    sink: (clock) => openSink(clock, thrift() ? longer : 0),
    isFinal,
    clock,
    waits,
  };
}

/** What the browser says of the network it is on; most say nothing. */
function kindOfNetwork(): string {
  return (navigator as { connection?: { type?: string } }).connection?.type ?? '';
}

/** An ear with a context of its own, which ends with it. Throws where the browser lets no sound be worked on before a tap, or at all. */
async function openEar(): Promise<Hears> {
  const context = new AudioContext({ latencyHint: 'interactive' });
  try {
    await context.resume();
    const ear = await Ear.open(context);
    return {
      attach: (id, source, stream) => ear.attach(id, source, stream),
      detach: (id) => ear.detach(id),
      tune: (source, tuning) => ear.tune(source, tuning),
      duck: (id, on) => ear.duck(id, on),
      close: () => {
        ear.close();
        void context.close();
      },
    };
  } catch (error) {
    void context.close();
    throw error;
  }
}

/** A WebSocket to a path of this origin. */
function openSocket(path: string): WebSocket {
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  return new WebSocket(address);
}
