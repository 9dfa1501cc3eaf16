// Texts in the person's language: catalogues loaded on demand, plurals by CLDR, direction of the page.
import { keep, recall } from '../lib/storage.ts';
import { isolated, message, type Catalogue } from './messages.ts';

type English = typeof import('./en.json');
type Singular<K> = K extends `${infer Base}_${'zero' | 'one' | 'two' | 'few' | 'many' | 'other'}` ? Base : K;
/** Every text there is; a key not in the catalogue does not compile. */
export type Key = Singular<keyof English & string>;

export const languages = ['en', 'ar', 'ru'] as const;
export type Language = (typeof languages)[number];

/** Each language's name for itself. */
export const languageNames: Record<Language, string> = { en: 'English', ar: 'العربية', ru: 'Русский' };

const load: Record<Language, () => Promise<{ default: Catalogue }>> = {
  en: () => import('./en.json'),
  ar: () => import('./ar.json'),
  ru: () => import('./ru.json'),
};

/** The texts of the page, in the language it is shown in. Its functions stand alone: who is given it may take them out. */
export class Words {
  code = $state<Language>('en');
  /** The catalogue in use: every text on the page depends on it. */
  catalogue = $state.raw<Catalogue>({});
  readonly #kept: Partial<Record<Language, Catalogue>> = {};
  /** What names languages, by the tag it speaks: making one takes longer than all else on a page. */
  readonly #names: Record<string, Intl.DisplayNames> = {};
  readonly #numbers: Record<string, Intl.NumberFormat> = {};

  get direction(): 'rtl' | 'ltr' {
    return this.code === 'ar' ? 'rtl' : 'ltr';
  }

  async start(): Promise<void> {
    await this.use(isLanguage(recall('language')) ?? preferred());
  }

  /** Shows the page in a language and keeps it. */
  async use(code: Language, remember = false): Promise<void> {
    const catalogue = this.#kept[code] ?? (await load[code]()).default;
    this.#kept[code] = catalogue;
    if (remember) keep('language', code);
    this.code = code;
    this.catalogue = catalogue;
    document.documentElement.lang = code;
    document.documentElement.dir = this.direction;
  }

  /** BCP 47 tag with Western digits. */
  get #tag(): string {
    return `${this.code}-u-nu-latn`;
  }

  /** The text of a key; `count` chooses the plural form and stands, formatted, as {{n}}. */
  readonly t = (key: Key, values: Record<string, string | number> & { count?: number } = {}): string => {
    const all = values.count === undefined ? values : { n: this.number(values.count), ...values };
    return message(this.catalogue, this.code, key, all);
  };

  readonly number = (value: number): string => (this.#numbers[this.#tag] ??= new Intl.NumberFormat(this.#tag)).format(value);

  /** A number of seconds, minutes or hours, as the language says it. */
  readonly unit = (value: number, unit: 'second' | 'minute' | 'hour'): string => new Intl.NumberFormat(this.#tag, { style: 'unit', unit, unitDisplay: 'long' }).format(value);

  /** A language's name in the interface's language. */
  readonly languageName = (code: string): string => {
    try {
      return (this.#names[this.#tag] ??= new Intl.DisplayNames([this.#tag], { type: 'language' })).of(code) ?? code;
    } catch {
      return code;
    }
  };

  /** The same, standing alone: on a chip or in a list, where some languages begin it with a capital. */
  readonly languageTitle = (code: string): string => {
    const name = this.languageName(code);
    return name.charAt(0).toLocaleUpperCase(this.#tag) + name.slice(1);
  };

  readonly dateOf = (milliseconds: number): string => new Intl.DateTimeFormat(this.#tag, { dateStyle: 'medium' }).format(milliseconds);

  readonly dateAndTime = (milliseconds: number): string => new Intl.DateTimeFormat(this.#tag, { dateStyle: 'medium', timeStyle: 'short' }).format(milliseconds);

  /** Names joined as the language joins them. */
  readonly list = (names: string[]): string => new Intl.ListFormat(this.#tag, { type: 'conjunction' }).format(names.map(isolated));
}

/** The text as a language we have, or null. */
export function isLanguage(text: string | null | undefined): Language | null {
  return languages.find((code) => code === text) ?? null;
}

/** The first of the browser's languages that we have. */
export function preferred(): Language {
  for (const tag of navigator.languages) {
    const code = isLanguage(tag.slice(0, 2).toLowerCase());
    if (code) return code;
  }
  return 'en';
}
