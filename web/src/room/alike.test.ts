// Two names on a page that read alike are told apart.
import { expect, test } from 'vitest';
import { alike } from './alike.ts';

const person = (userId: string, displayName: string, looks = ''): { userId: string; displayName: string; looks: string } => ({ userId, displayName, looks });

test('people whose names look the same are found, wherever on the page they are', () => {
  const stage = [person('lina', 'Lina Haddad', 'llnahaddad'), person('omar', 'Omar', 'ornar')];
  const hands = [person('copy', 'Linа Hаddаd', 'llnahaddad'), undefined, person('sami', 'Sami', 'sarnl')];
  expect([...alike([...stage, ...hands])].sort()).toEqual(['copy', 'lina']);
});

test('one person in two places is no copy of themselves', () => {
  expect(alike([person('lina', 'Lina', 'llna'), person('lina', 'Lina', 'llna')]).size).toBe(0);
});

test('an older server that says no looks is compared by the names themselves', () => {
  expect([...alike([person('a', 'Ｌｉｎａ'), person('b', 'lina'), person('c', '')])]).toEqual(['a', 'b']);
});
