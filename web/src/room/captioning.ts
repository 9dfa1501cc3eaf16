// Who may write captions here, and in which languages there may be some. Pure.
import { spokenOn } from './hearing.ts';
import type { RoomView } from './reducer.ts';

/** What is said on the floor, in whichever language. */
export const floor = 'floor';

/** The floor, what somebody may write, and the booths' languages; and what is watched, whatever it is. */
export function captionLanguages(view: RoomView, watched: string): string[] {
  const written = view.captioners.flatMap((captioner) => captioner.languages);
  return [...new Set([floor, ...written, ...view.booths.map(({ language }) => language), ...(watched ? [watched] : [])])];
}

/** Whether somebody may write captions of a language now. */
export function mayWrite(view: RoomView, me: string, language: string): boolean {
  return view.captioners.some(({ person, languages, muted }) => person?.userId === me && !muted && languages.includes(language));
}

/** The languages in which somebody writes now. */
export function writtenLanguages(view: RoomView): Set<string> {
  return new Set(view.captioners.filter(({ muted }) => !muted).flatMap(({ languages }) => languages));
}

/**
 * What to begin with, of what somebody writes: what was chosen before, what one writes oneself, one's own languages, what is
 * said as it is spoken, and then any there is. The floor where nobody writes.
 */
export function firstLanguage(view: RoomView, me: string, understands: readonly string[], chosen = ''): string {
  const written = writtenLanguages(view);
  const own = view.captioners.find(({ person }) => person?.userId === me)?.languages ?? [];
  const spoken = [floor, ...spokenOn(view), view.room.language];
  return [chosen, ...own, ...understands, ...spoken, ...written].find((language) => written.has(language)) ?? floor;
}
