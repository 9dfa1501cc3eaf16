// Texts in the person's language: catalogues loaded on demand, plurals by CLDR, direction of the page.
import i18next from 'i18next';
import { keep, recall } from '../lib/storage.ts';

type Catalogue = typeof import('./en.json');
type Singular<K> = K extends `${infer Base}_${'zero' | 'one' | 'two' | 'few' | 'many' | 'other'}` ? Base : K;
/** Every text there is; a key not in the catalogue does not compile. */
export type Key = Singular<keyof Catalogue & string>;

export const languages = ['en', 'ar', 'ru'] as const;
export type Language = (typeof languages)[number];

/** Each language's name for itself. */
export const languageNames: Record<Language, string> = { en: 'English', ar: 'العربية', ru: 'Русский' };

const load: Record<Language, () => Promise<{ default: Record<string, string> }>> = {
  en: () => import('./en.json'),
  ar: () => import('./ar.json'),
  ru: () => import('./ru.json'),
};

// Unicode isolates (UAX 9): a name in another script keeps its own direction and does not turn the sentence around.
const isolate = String.fromCodePoint(0x2068);
const popIsolate = String.fromCodePoint(0x2069);

class Locale {
  code = $state<Language>('en');
  // Rises when a catalogue is in: every text on the page depends on it.
  version = $state(0);

  get direction(): 'rtl' | 'ltr' {
    return this.code === 'ar' ? 'rtl' : 'ltr';
  }

  async start(): Promise<void> {
    await i18next.init({ keySeparator: false, nsSeparator: false, interpolation: { escapeValue: false }, resources: {} });
    await this.use(isLanguage(recall('language')) ?? preferred());
  }

  /** Shows the page in a language and keeps it. */
  async use(code: Language, remember = false): Promise<void> {
    if (!i18next.hasResourceBundle(code, 'translation')) {
      i18next.addResourceBundle(code, 'translation', (await load[code]()).default);
    }
    await i18next.changeLanguage(code);
    if (remember) keep('language', code);
    this.code = code;
    this.version++;
    document.documentElement.lang = code;
    document.documentElement.dir = this.direction;
  }
}

export const locale = new Locale();

/** The text as a language we have, or null. */
export function isLanguage(text: string | null | undefined): Language | null {
  return languages.find((code) => code === text) ?? null;
}

function preferred(): Language {
  for (const tag of navigator.languages) {
    const code = isLanguage(tag.slice(0, 2).toLowerCase());
    if (code) return code;
  }
  return 'en';
}

/** The text of a key; `count` chooses the plural form and stands, formatted, as {{n}}. */
export function t(key: Key, values: Record<string, string | number> & { count?: number } = {}): string {
  void locale.version;
  const n = values.count === undefined ? {} : { n: number(values.count) };
  const isolated = Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? isolate + value + popIsolate : value]);
  const all: Record<string, string | number> = { ...Object.fromEntries(isolated), ...n };
  return i18next.t(key, all);
}

/** BCP 47 tag with Western digits. */
function tag(): string {
  void locale.version;
  return `${locale.code}-u-nu-latn`;
}

export function number(value: number): string {
  return new Intl.NumberFormat(tag()).format(value);
}

/** A language's name in the interface's language. */
export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames([tag()], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}

export function dateOf(milliseconds: number): string {
  return new Intl.DateTimeFormat(tag(), { dateStyle: 'medium' }).format(milliseconds);
}

export function dateAndTime(milliseconds: number): string {
  return new Intl.DateTimeFormat(tag(), { dateStyle: 'medium', timeStyle: 'short' }).format(milliseconds);
}

/** Names joined as the language joins them. */
export function list(names: string[]): string {
  return new Intl.ListFormat(tag(), { type: 'conjunction' }).format(names);
}
