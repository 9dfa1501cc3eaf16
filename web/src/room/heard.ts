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

/** What becomes of the voice of somebody on stage. */
export function heard(seat: { muted: boolean }, room: RoomState, microphone: Microphone, sound: { state: string; kind: string }): Heard {
  if (room === RoomState.CLOSING) return 'closed';
  if (seat.muted || microphone.held) return 'muted';
  if (microphone.state !== 'live') return 'unheard';
  const connected = sound.kind === 'stage' && (sound.state === 'on' || sound.state === 'tap');
  return connected ? 'live' : 'joining';
}

export const heardWords: Record<Heard, Key> = {
  live: 'heard.live',
  muted: 'heard.muted',
  unheard: 'heard.unheard',
  joining: 'heard.joining',
  closed: 'hand.closed',
};
