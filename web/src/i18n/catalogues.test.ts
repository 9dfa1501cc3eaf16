// The three catalogues say the same, with every plural form; no page carries text of its own.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import ar from './ar.json';
import en from './en.json';
import { message, pluralKey, type Catalogue } from './messages.ts';
import ru from './ru.json';

const catalogues: Record<string, Catalogue> = { en, ar, ru };
const plural = /_(zero|one|two|few|many|other)$/;
const source = new URL('..', import.meta.url).pathname;
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(svelte|ts)$/.test(name) && !name.startsWith('gen/') && !name.includes('.test.'));

const stem = (key: string): string => key.replace(plural, '');
const keys = (catalogue: Catalogue): string[] => [...new Set(Object.keys(catalogue).map(stem))].sort();
const slots = (text: string): string[] => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((hit) => hit[1] ?? '').sort();

describe.each(Object.entries(catalogues))('the catalogue %s', (language, catalogue) => {
  test('has the texts of the others', () => {
    expect(keys(catalogue)).toEqual(keys(en));
  });

  test('has exactly its language’s plural forms for every counted text', () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.toSorted();
    for (const key of keys(en).filter((one) => `${one}_other` in en)) {
      const had = Object.keys(catalogue).filter((one) => plural.test(one) && stem(one) === key);
      expect(had.map((one) => one.slice(key.length + 1)).sort(), key).toEqual(forms);
    }
  });

  test('fills the same slots and leaves no text empty', () => {
    for (const [key, text] of Object.entries(catalogue)) {
      const english = (en as Catalogue)[key] ?? (en as Catalogue)[`${stem(key)}_other`] ?? '';
      expect(text.trim(), key).not.toBe('');
      // A form such as the Arabic dual may say the number in words.
      const optional = plural.test(key) ? ['n', 'names'] : [];
      const wanted = slots(english).filter((slot) => !optional.includes(slot));
      expect(slots(text).filter((slot) => !optional.includes(slot)), key).toEqual(wanted);
    }
  });
});

/** Slots that never hold a count: names and other texts, spans of time, numbers that stand for a place in an order. */
const worded = new Set('name names time date handle email title room reason reporter subject whom step address text language languages other place number'.split(' '));
/** Places in an order have no plural: the first, the second. */
const ordinal = new Set(['hand.place']);
const slot = String.raw`\{\{(\w+)\}\}`;
/** Beside a count there may stand what agrees with no number: a unit, a preposition, the rest of a sentence. */
const apart = new Set('of in from ms dB kHz кГц kbit MB из мс дБ МБ من م كيلوبت ميغابايت'.split(' '));

/** Counts in a text that stand right beside a word which has to agree with them. */
function countsBeside(text: string): string[] {
  const after = [...text.matchAll(new RegExp(`${slot} (\\p{L}+)`, 'gu'))].filter(([, name, word]) => !worded.has(name ?? '') && !apart.has(word ?? ''));
  return after.map(([, name]) => name ?? '');
}

test.each(Object.entries(catalogues))('no count stands beside a word without plural forms in %s', (_, catalogue) => {
  for (const [key, text] of Object.entries(catalogue).filter(([one]) => !ordinal.has(one))) {
    // In a text with forms those go by {{n}}.
    expect(countsBeside(text).filter((name) => !(plural.test(key) && name === 'n')), `${key}: ${text}`).toEqual([]);
  }
});

test('the search for counts finds those that an unread text would have', () => {
  expect(countsBeside('The relays carry {{carried}} of these {{rooms}} rooms')).toEqual(['rooms']);
  expect(countsBeside('{{n}} waiting, {{all}} places kept')).toEqual(['n', 'all']);
  expect(countsBeside('{{n}} غرف')).toEqual(['n']);
  expect(countsBeside('{{name}} is here since {{date}}; taken {{full}} %, {{late}} ms late')).toEqual([]);
});

test('the same number of things is one thing, two or many, in all languages', () => {
  const said = (language: string, count: number): string => message(catalogues[language] ?? {}, language, 'console.capacity.needs', { count, n: String(count) });
  expect([1, 2].map((count) => said('en', count).split(' like')[0])).toEqual(['1 empty relay', '2 empty relays']);
  expect([1, 3, 5, 21].map((count) => said('ru', count).split(',')[0])).toEqual(['Всё вынесет 1 пустой сервер', 'Всё вынесут 3 пустых сервера', 'Всё вынесут 5 пустых серверов', 'Всё вынесет 21 пустой сервер']);
  expect([1, 2, 3, 11].map((count) => said('ar', count))).toEqual([
    'يحملها كلها خادم فارغ واحد مثل أكبرها.',
    'يحملها كلها خادمان فارغان مثل أكبرها.',
    'تحملها كلها 3 خوادم فارغة مثل أكبرها.',
    'يحملها كلها 11 خادمًا فارغًا مثل أكبرها.',
  ]);
});

test('Arabic counts with six forms', () => {
  const of = (count: number): string => message(ar, 'ar', 'room.here', { count, n: String(count) });
  expect([0, 1, 2, 3, 11, 100].map((count) => pluralKey('ar', 'k', count).slice(2))).toEqual(['zero', 'one', 'two', 'few', 'many', 'other']);
  expect(of(2)).toBe('شخصان هنا');
  expect(of(5)).toContain('5');
});

test('a name keeps its own direction inside a sentence', () => {
  const said = message(en, 'en', 'moderate.muted', { name: 'عمر' });
  expect([...said].map((letter) => letter.codePointAt(0))).toContain(0x2068);
  expect(said).toContain('عمر');
});

test('every text is used somewhere', () => {
  const shell = readFileSync(new URL('../../build/shell.ts', import.meta.url), 'utf8');
  const all = [shell, ...files.map((name) => readFileSync(join(source, name), 'utf8'))].join('\n');
  // Of texts that are chosen at run time the source has the beginning of the name.
  const chosen = [...all.matchAll(/`([a-z]+\.[a-zA-Z.]+\.)\$\{/g)].map((hit) => hit[1] ?? '');
  const used = (key: string): boolean => all.includes(`'${key}'`) || all.includes(`"${key}"`) || chosen.some((beginning) => key.startsWith(beginning));
  expect(keys(en).filter((key) => !used(key))).toEqual([]);
});

test('no component carries text of its own', () => {
  for (const name of files.filter((one) => one.endsWith('.svelte'))) {
    expect(spoken(readFileSync(join(source, name), 'utf8')), name).toEqual([]);
  }
});

/** The words a component would show that come from no catalogue: text between tags, and attributes that are read out. */
function spoken(component: string): string[] {
  const markup = component.replace(/<script[\s\S]*?<\/script>|<style[\s\S]*?<\/style>|<!--[\s\S]*?-->/g, '');
  const attributes = [...markup.matchAll(/\s(?:aria-label|title|placeholder|alt|label|hint|text)="([^"]*)"/g)].map((hit) => hit[1] ?? '');
  const between = withoutBraces(markup).replace(/<[^>]*>/g, '\n').split('\n');
  return [...attributes.map(withoutBraces), ...between].map((piece) => piece.trim()).filter((piece) => /\p{L}{2,}/u.test(piece));
}

function withoutBraces(text: string): string {
  let depth = 0;
  return [...text].filter((letter) => (letter === '{' ? (depth++, false) : letter === '}' ? (depth--, false) : depth === 0)).join('');
}

test('the search for text finds some', () => {
  expect(spoken('<p>Hello there</p><b title="More words">{t("x")}</b>')).toEqual(['More words', 'Hello there']);
});
