// Is an interpreter heard? The one answer of the desk, whose words and colours go by it. Pure.
import type { Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';
import type { Heard } from './heard.ts';

/**
 * `air`: heard in the booth's language. `off`: would be heard, but the microphone is off or gives nothing. `cough`: held for a moment.
 * `rehearsing`: heard by stage and booths, and by no listener yet. `ready`: the partner is heard, one's own microphone is on. `resting`: the partner is heard, one's own microphone is off.
 * `joining`: the connection is not up. `lost`: it was, and comes back by itself. `closed`: nobody is heard.
 */
export type Air = 'air' | 'rehearsing' | 'off' | 'cough' | 'ready' | 'resting' | 'joining' | 'lost' | 'closed';

/** Whether a sound that was there is gone, so that nobody is heard. */
export function lostSound({ state, rung, voice }: { state: string; rung?: string; voice?: string }): boolean {
  if (rung === 'https') return voice === 'lost' || voice === 'full';
  return state === 'reconnecting' || state === 'blocked' || state === 'full';
}

export interface Circumstances {
  coughing: boolean;
  rehearsal: boolean;
  /** The connection was there and broke. */
  lost: boolean;
}

export function airOf(booth: Booth, me: string, heard: Heard, { coughing, rehearsal, lost }: Circumstances): Air {
  if (heard === 'closed') return heard;
  if (lost) return 'lost';
  if (heard === 'joining') return heard;
  const on = heard === 'live';
  if (booth.activeUserId !== me) return on ? 'ready' : 'resting';
  if (!on) return 'off';
  if (coughing) return 'cough';
  return rehearsal ? 'rehearsing' : 'air';
}

export const airWords: Record<Air, Key> = {
  air: 'desk.air',
  rehearsing: 'desk.rehearsing',
  off: 'desk.off',
  cough: 'desk.coughing',
  ready: 'desk.ready',
  resting: 'desk.resting',
  joining: 'desk.joining',
  lost: 'desk.lost',
  closed: 'hand.closed',
};
