// Keys of the interpreter's desk: by where they lie, so that every layout has them. Pure.

export type DeskAct = 'takeOver' | 'microphone' | 'cough' | 'hearFloor' | 'hearNext' | 'five' | 'two' | 'handOver' | 'slower' | 'louder' | 'softer' | 'repeat' | 'betterMicrophone' | 'write' | 'help';

/** What each key does, in the order in which the help has them; `sign` is what is printed on it. */
export const deskKeyList: readonly { code: string; sign: string; act: DeskAct }[] = [
  { code: 'KeyT', sign: 'T', act: 'takeOver' },
  { code: 'KeyM', sign: 'M', act: 'microphone' },
  { code: 'KeyC', sign: 'C', act: 'cough' },
  { code: 'KeyF', sign: 'F', act: 'hearFloor' },
  { code: 'KeyR', sign: 'R', act: 'hearNext' },
  { code: 'Digit5', sign: '5', act: 'five' },
  { code: 'Digit2', sign: '2', act: 'two' },
  { code: 'KeyH', sign: 'H', act: 'handOver' },
  { code: 'KeyS', sign: 'S', act: 'slower' },
  { code: 'KeyL', sign: 'L', act: 'louder' },
  { code: 'KeyD', sign: 'D', act: 'softer' },
  { code: 'KeyA', sign: 'A', act: 'repeat' },
  { code: 'KeyB', sign: 'B', act: 'betterMicrophone' },
  { code: 'KeyW', sign: 'W', act: 'write' },
  { code: 'Slash', sign: '?', act: 'help' },
];

/** What a key does here; null where it belongs to something else: a field, a sheet, or the browser. */
export function deskKeys(event: Pick<KeyboardEvent, 'code' | 'key' | 'ctrlKey' | 'altKey' | 'metaKey' | 'target'>): DeskAct | null {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  const at = event.target instanceof Element ? event.target : null;
  if (at?.closest('input:not([type=radio]):not([type=range]), textarea, select, dialog[open]')) return null;
  if (event.key === '?') return 'help';
  return deskKeyList.find(({ code, act }) => code === event.code && act !== 'help')?.act ?? null;
}
