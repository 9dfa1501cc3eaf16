// How long something takes, said as roughly as it is known.
import type { Words } from '../i18n/i18n.svelte.ts';

const minute = 60;
const hour = 60 * minute;

/** A span of seconds in words: minutes, or hours from an hour and a half on. */
export function aboutHowLong(seconds: number, words: Pick<Words, 't' | 'unit'>): string {
  if (seconds < minute) return words.t('line.lessThanMinute');
  if (seconds < 1.5 * hour) return words.unit(Math.ceil(seconds / minute), 'minute');
  return words.unit(Math.round(seconds / hour), 'hour');
}
