// Texts from a catalogue: values put in, the plural form chosen by CLDR's rules. Pure.

export type Catalogue = Record<string, string>;
export type Values = Record<string, string | number>;

// Unicode isolates (UAX 9): a name in another script keeps its own direction and does not turn the sentence around.
const isolate = String.fromCodePoint(0x2068);
const popIsolate = String.fromCodePoint(0x2069);

/** A name or other foreign text, with a direction of its own. */
export function isolated(text: string): string {
  return isolate + text + popIsolate;
}

/** The key of the plural form that fits a count. */
export function pluralKey(language: string, key: string, count: number): string {
  return `${key}_${new Intl.PluralRules(language).select(count)}`;
}

/** The text of a key with its {{names}} filled in; the key itself when the catalogue lacks it. */
export function message(catalogue: Catalogue, language: string, key: string, values: Values): string {
  const count = values['count'];
  const text = catalogue[typeof count === 'number' ? pluralKey(language, key, count) : key] ?? catalogue[key] ?? key;
  return text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'string' && name !== 'n' ? isolated(value) : String(value);
  });
}
