// A room that is open to the web, as another site's page shows it. No sign-in, no cookie, nothing kept.
import '../styles/fonts.css';
import '../styles/tokens.css';
import '../styles/base.css';
import { mount } from 'svelte';
import { isLanguage, preferred, Words } from '../i18n/i18n.svelte.ts';
import { BrowserClock } from '../lib/clock.ts';
import Embed from './Embed.svelte';
import { WebListener } from './listener.svelte.ts';
import { PlainSound } from './plain.ts';
import { read, soundPath } from './state.ts';

const id = /^\/embed\/([a-z0-9]{10,32})\/?$/.exec(location.pathname)?.[1] ?? '';
const asked = new URLSearchParams(location.search);
const words = new Words();
await words.use(isLanguage(asked.get('lang')) ?? preferred());
const listener = new WebListener({
  ask: async () => {
    const answer = await fetch(`/embed/${id}/state`, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return read(await answer.json());
  },
  sound: (language, tell) => new PlainSound((ending) => soundPath(id, language, ending), tell),
  clock: new BrowserClock(),
  random: Math.random,
});
void listener.ask();
mount(Embed, { target: document.getElementById('app') as HTMLElement, props: { listener, words, id } });
