// Who reads like somebody else on the page: their handles are shown beside their names.
import { getContext, setContext } from 'svelte';
import type { Profile } from '../gen/majlis/auth/v1/account_pb.ts';

type Named = Pick<Profile, 'userId' | 'displayName' | 'looks'>;

/** The people among these whose name reads like another one's, by id; the server says how a name looks. */
export function alike(people: Iterable<Named | undefined>): Set<string> {
  const byLooks = new Map<string, Set<string>>();
  for (const person of people) {
    if (!person) continue;
    const looks = person.looks || person.displayName.normalize('NFKC').toLowerCase();
    if (!looks) continue;
    const ids = byLooks.get(looks) ?? new Set<string>();
    byLooks.set(looks, ids.add(person.userId));
  }
  return new Set([...byLooks.values()].filter((ids) => ids.size > 1).flatMap((ids) => [...ids]));
}

const key = Symbol('alike');

/** Tells the names below in the page who of all its people reads alike. */
export function tellAlike(found: () => Set<string>): void {
  setContext(key, found);
}

/** Asks whether somebody's name needs their handle beside it. */
export function askAlike(): (userId: string) => boolean {
  const found = getContext<(() => Set<string>) | undefined>(key);
  return (userId) => found?.().has(userId) ?? false;
}
