// What lock screens and media keys show and do of a room: the audience may go over to reading and back, the stage is heard and speaks.
import type { Words } from '../i18n/i18n.svelte.ts';
import type { Sounding } from '../media/lock-screen.ts';
import type { LiveRoom } from './live.svelte.ts';

/** Null where there is nothing to show: before the door, and once the room is over. */
export function sounding(room: LiveRoom, { list, t }: Pick<Words, 'list' | 't'>): Sounding | null {
  const { sound, view } = room;
  if (!view || view.gone) return null;
  const names = view.stage.map((seat) => seat.person?.displayName ?? '').filter(Boolean);
  return {
    title: view.room.title,
    by: list(names),
    at: t('app.name'),
    playing: sound.state !== 'text' && sound.state !== 'tap',
    steer: room.onStage ? null : { play: () => void (sound.chosen === 'text' ? sound.choose('auto') : sound.tapped()), pause: () => sound.choose('text') },
  };
}
