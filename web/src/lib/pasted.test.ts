// Links out of sentences, by the table that the gateway, the services and the Python client read too.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tidy } from './pasted.ts';
import { parse } from './router.svelte.ts';

interface Cases {
  pages: { path: string; page: string; id?: string }[];
  tokens: { text: string; kept: string }[];
}
const cases = JSON.parse(readFileSync(new URL('../../../tests/support/cases/links.json', import.meta.url), 'utf8')) as Cases;

test('a link leads where it was meant to, whatever the sentence around it added', () => {
  for (const { path, page, id } of cases.pages) {
    const url = new URL('https://hall.example');
    url.pathname = path;
    const route = parse(url);
    const found = route.page === 'room' ? route.room : route.page === 'invitation' ? route.code : undefined;
    expect([route.page, found], JSON.stringify(path)).toEqual([page, id]);
  }
});

test('keys and tokens are freed of what surrounds them, and keep what is theirs', () => {
  for (const { text, kept } of cases.tokens) {
    expect(tidy(text), JSON.stringify(text)).toBe(kept);
    const url = new URL('https://hall.example/r/room00000001ab');
    url.hash = text;
    expect(parse(url), JSON.stringify(text)).toMatchObject({ key: kept });
  }
});
