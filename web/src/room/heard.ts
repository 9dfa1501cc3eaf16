// Am I heard? The one answer that every button and line about the own microphone gives. Pure.
import { RoomState } from '../gen/majlis/room_directory/v1/room_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';

/** `unheard`: switched on, but no microphone sends. `joining`: the session of the stage is not up. `closed`: nobody on stage is heard. */
export type Heard = 'live' | 'muted' | 'unheard' | 'joining' | 'closed';

export interface Microphone {
  /** As MicrophoneState has it. */
  state: string;
  /** Switched off here, whatever the server knows. */
  held: boolean;
}

/** How the sound of a room goes, and the voice beside it. */
export interface Carried {
  state: string;
  kind: string;
  rung?: string;
  /** As SpeakerState has it. */
  voice?: string;
}

/** What becomes of the voice of somebody on stage. */
export function heard(seat: { muted: boolean }, room: RoomState, microphone: Microphone, sound: Carried): Heard {
  if (room === RoomState.CLOSING) return 'closed';
  if (seat.muted || microphone.held) return 'muted';
  if (microphone.state !== 'live') return 'unheard';
  if (sound.kind !== 'stage') return 'joining';
  // Over the web the voice has a way of its own, whatever becomes of the ears.
  if (sound.rung === 'https') return sound.voice === 'unable' ? 'unheard' : sound.voice === 'on' ? 'live' : 'joining';
  return sound.state === 'on' || sound.state === 'tap' ? 'live' : 'joining';
}

/** What is said of it. */
export function heardWord(mine: Heard, rehearsal: boolean, { rung }: Carried): Key {
  if (mine !== 'live') return heardWords[mine];
  return rehearsal ? 'heard.rehearsing' : rung === 'https' ? 'heard.web' : heardWords.live;
}

const heardWords: Record<Heard, Key> = {
  live: 'heard.live',
  muted: 'heard.muted',
  unheard: 'heard.unheard',
  joining: 'heard.joining',
  closed: 'hand.closed',
};
