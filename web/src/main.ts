// The first script: asks for the language's texts while the client itself is still on its way, then starts it.
import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import { Words } from './i18n/i18n.svelte.ts';
import { keep, recall } from './lib/storage.ts';
import { Theme } from './lib/theme.svelte.ts';

// A part that a newer build has replaced is gone: the page as it is now knows the new one. Once, lest a broken build reload for ever.
addEventListener('vite:preloadError', () => {
  if (recall('reloaded', 'session')) return;
  keep('reloaded', '1', 'session');
  location.reload();
});

const words = new Words();
const theme = new Theme();
theme.start();
const [client] = await Promise.all([import('./client.ts'), words.start()]);
client.start(document.getElementById('app') as HTMLElement, words, theme);
keep('reloaded', null, 'session');
