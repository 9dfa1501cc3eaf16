// What people type is counted as the server counts it, and digits are digits in every script.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { graphemes, taken, westernDigits, written } from './written.ts';

const listed = readFileSync(new URL('../../../tests/support/rgi_emoji.txt', import.meta.url), 'utf8');
const emoji = listed.split('\n').filter((line) => !line.startsWith('# ')).flatMap((line) => line.split(' ')).filter(Boolean);

test('every emoji of the newest Unicode counts as one character and stays as it is', () => {
  expect(emoji.length).toBe(3972);
  expect(emoji.filter((each) => graphemes(each) !== 1 || written(each) !== each || written(each, true) !== each)).toEqual([]);
  expect(emoji.filter((each) => taken(each.repeat(40), 40) > 40 && !/^\p{Emoji_Modifier}$/u.test(each))).toEqual([]);
});

test('what the server leaves out does not count', () => {
  expect(taken(' \u200fعمر\u200e ', 40)).toBe(3);
  expect(taken('a\u00adb\tc\n', 40)).toBe(4);
  expect(taken('e\u0301', 40)).toBe(1);
  expect(taken('one\ntwo', 40, undefined, true)).toBe(7);
});

test('where fewer parts can be kept, emoji of many parts take more', () => {
  expect(taken('👨‍👩‍👧‍👦', 200, 200)).toBe(7);
  expect(taken('abc', 200, 200)).toBe(3);
  expect(taken('👨‍👩‍👧‍👦', 60, 120)).toBe(4);
});

test('a code is the same in the digits of any script, with spaces, dashes and marks among them', () => {
  for (const typed of ['042042', '٠٤٢٠٤٢', '۰۴۲۰۴۲', '０４２０４２', '०४२०४२', ' 042 042 ', '042-042', '042–042', '\u200f٠٤٢\u00a0٠٤٢\u200e']) expect(westernDigits(typed)).toBe('042042');
  expect(westernDigits('04a')).toBe('04a');
});
