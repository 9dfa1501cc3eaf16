// The languages people may choose as spoken: the interface's three first, then the rest by what they are called.
import type { Words } from '../i18n/i18n.svelte.ts';

const codes = ['am', 'az', 'be', 'bn', 'de', 'el', 'es', 'fa', 'fr', 'ha', 'he', 'hi', 'hy', 'id', 'it', 'ja', 'ka', 'kk', 'ko', 'ku', 'nl', 'pl', 'ps', 'pt', 'so', 'sw', 'tg', 'tr', 'uk', 'ur', 'uz', 'zh'];

/** Codes and names for a list to choose from; `more` are kept even when not in it. */
export function tongues({ code: own, languageTitle }: Pick<Words, 'code' | 'languageTitle'>, more: readonly string[] = []): { code: string; name: string }[] {
  const first = [own, ...['ar', 'en', 'ru'].filter((code) => code !== own)];
  const named = (code: string): { code: string; name: string } => ({ code, name: languageTitle(code) });
  const others = [...new Set([...codes, ...more])].filter((code) => !first.includes(code)).map(named);
  return [...first.map(named), ...others.sort((a, b) => a.name.localeCompare(b.name, own))];
}
