// Is an interpreter heard? The one answer of the desk, whose words and colours go by it. Pure.
import type { Booth } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';
import type { Heard } from './heard.ts';

/**
 * `air`: heard in the booth's language. `off`: would be heard, but the microphone is off or gives nothing. `cough`: held for a moment.
 * `rehearsing`: heard by stage and booths, and by no listener yet. `ready`: the partner is heard, one's own microphone is on. `resting`: the partner is heard, one's own microphone is off.
 * `joining`: the connection is not up. `closed`: nobody is heard.
 */
export type Air = 'air' | 'rehearsing' | 'off' | 'cough' | 'ready' | 'resting' | 'joining' | 'closed';

export function airOf(booth: Booth, me: string, heard: Heard, coughing: boolean, rehearsal = false): Air {
  if (heard === 'closed' || heard === 'joining') return heard;
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
  joining: 'heard.joining',
  closed: 'hand.closed',
};
