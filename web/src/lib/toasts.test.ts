// A message with an undo goes with its cause: what was accepted or taken back cannot be undone.
import { beforeEach, expect, test, vi } from 'vitest';

vi.mock('../i18n/i18n.svelte.ts', () => ({ t: (key: string) => key }));
vi.mock('./refusal.ts', () => ({ explain: () => 'refused.fault' }));
const { toasts } = await import('./toasts.svelte.ts');

const shown = (): string[] => toasts.list.map((toast) => toast.text);

beforeEach(() => {
  vi.useFakeTimers();
  for (const toast of toasts.list) toasts.drop(toast.id);
});

test('a message goes with its cause, which may be told later than the call that made the message is answered', () => {
  let invited = false;
  toasts.say('moderate.offered', {}, () => undefined, () => invited);
  toasts.settle();
  expect(shown()).toEqual(['moderate.offered']);
  invited = true;
  toasts.settle();
  expect(shown()).toEqual(['moderate.offered']);
  invited = false;
  toasts.settle();
  expect(shown()).toEqual([]);
});

test('a message without a lasting cause stays its time', () => {
  toasts.say('report.sent');
  toasts.settle();
  vi.advanceTimersByTime(5_900);
  expect(shown()).toEqual(['report.sent']);
  vi.advanceTimersByTime(200);
  expect(shown()).toEqual([]);
});
