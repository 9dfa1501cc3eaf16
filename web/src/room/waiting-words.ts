// How long a wait is, in plain words: nobody needs seconds of an estimate.
import type { Key } from '../i18n/i18n.svelte.ts';

/** The text for an expected wait of so many milliseconds, with the number it counts; 0 where nobody can say yet. */
export function waitingWords(span: number): { key: Key; count: number } {
  const minutes = span / 60_000;
  if (span <= 0) return { key: 'inLine.unknown', count: 0 };
  if (minutes < 1) return { key: 'inLine.soon', count: 0 };
  if (minutes <= 90) return { key: 'inLine.minutes', count: minutes < 10 ? Math.ceil(minutes) : Math.ceil(minutes / 5) * 5 };
  return { key: 'inLine.hours', count: Math.ceil(minutes / 60) };
}
