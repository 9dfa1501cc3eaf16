// Paper or night: follows the system, by the style sheet alone, until somebody chooses.
import { keep, recall } from './storage.ts';

export type ThemeChoice = 'system' | 'paper' | 'night';

export class Theme {
  choice = $state<ThemeChoice>('system');

  start(): void {
    const kept = recall('theme');
    if (kept === 'paper' || kept === 'night') this.choice = kept;
    this.#apply();
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    keep('theme', choice === 'system' ? null : choice);
    this.#apply();
  }

  #apply(): void {
    const { choice } = this;
    if (choice === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = choice;
    const scheme = choice === 'system' ? 'light dark' : choice === 'night' ? 'dark' : 'light';
    document.querySelector('meta[name=color-scheme]')?.setAttribute('content', scheme);
    for (const meta of document.querySelectorAll('meta[name=theme-color]')) {
      const night = choice === 'system' ? meta.getAttribute('media')?.includes('dark') : choice === 'night';
      meta.setAttribute('content', night ? '#10161a' : '#f7f3ea');
    }
  }
}
