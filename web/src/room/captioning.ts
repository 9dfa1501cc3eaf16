// Who may write captions here, and in which languages there may be some. Pure.
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

/** What to begin with: what one may write, else the first language one understands that somebody writes, else the floor. */
export function firstLanguage(view: RoomView, me: string, understands: readonly string[]): string {
  const own = view.captioners.find(({ person }) => person?.userId === me)?.languages[0];
  const written = new Set(view.captioners.flatMap((captioner) => captioner.languages));
  return own ?? understands.find((language) => written.has(language)) ?? floor;
}
