// Times and names as short texts; pure, so that tests need no clock.
import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';

/** Milliseconds since 1970, or 0 when unset. */
export function milliseconds(time: Timestamp | undefined): number {
  return time ? Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6) : 0;
}

/** Milliseconds that a span takes, or 0 when unset. */
export function spanOf(span: Duration | undefined): number {
  return span ? Number(span.seconds) * 1000 + Math.floor(span.nanos / 1e6) : 0;
}

/** A span as a clock shows it: 0:48, 42:10, 1:02:03. */
export function clock(span: number): string {
  const seconds = Math.max(0, Math.floor(span / 1000));
  const pad = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}

/** One or two letters that stand for a name; scripts that join letters give one. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const first = (word: string | undefined): string => {
    const letters = [...new Intl.Segmenter().segment(word ?? '')].map((part) => part.segment);
    return letters.find((letter) => /[\p{L}\p{N}]/u.test(letter)) ?? letters[0] ?? '';
  };
  const start = first(words[0]);
  if (words.length < 2 || /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Han}\p{Extended_Pictographic}]/u.test(start)) return start.toLocaleUpperCase();
  return (start + first(words.at(-1))).toLocaleUpperCase();
}

/** Whether a name is written in Latin letters alone, accents included. */
export function isLatin(name: string): boolean {
  return !/[^\p{Script=Latin}\P{L}]/u.test(name);
}

/** A handle made from a name: ASCII letters, digits and underscores, 3 to 24; empty when the name gives too little. */
export function suggestHandle(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^[_0-9]+|_+$/g, '').slice(0, 24);
  return plain.length >= 3 ? plain.replace(/_+$/, '') : '';
}
