// The first script: asks for the language's texts while the client itself is still on its way, then starts it.
import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import { locale } from './i18n/i18n.svelte.ts';
import { theme } from './lib/theme.svelte.ts';

theme.start();
const [client] = await Promise.all([import('./client.ts'), locale.start()]);
client.start(document.getElementById('app') as HTMLElement);
