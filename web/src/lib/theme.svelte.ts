// Paper or night: follows the system until somebody chooses.
import { keep, recall } from './storage.ts';

export type ThemeChoice = 'system' | 'paper' | 'night';

class Theme {
  choice = $state<ThemeChoice>('system');

  start(): void {
    const kept = recall('theme');
    if (kept === 'paper' || kept === 'night') this.choice = kept;
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#apply());
    this.#apply();
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    keep('theme', choice === 'system' ? null : choice);
    this.#apply();
  }

  #apply(): void {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const shown = this.choice === 'system' ? (dark ? 'night' : 'paper') : this.choice;
    document.documentElement.dataset['theme'] = shown;
    document.querySelector('meta[name=theme-color]')?.setAttribute('content', shown === 'night' ? '#10161a' : '#f7f3ea');
  }
}

export const theme = new Theme();
