// How long something takes, said as roughly as it is known.
import type { Words } from '../i18n/i18n.svelte.ts';

const minute = 60;
const hour = 60 * minute;

/** A span of seconds in words: minutes, from ten on by fives, or hours from an hour and a half on. */
export function aboutHowLong(seconds: number, words: Pick<Words, 't' | 'unit'>): string {
  if (seconds < minute) return words.t('line.lessThanMinute');
  const minutes = Math.ceil(seconds / minute);
  if (seconds < 1.5 * hour) return words.unit(minutes < 10 ? minutes : Math.ceil(minutes / 5) * 5, 'minute');
  return words.unit(Math.ceil(seconds / hour), 'hour');
}
