// A room that is open to the web, as another site's page shows it. No sign-in, no cookie, nothing kept.
import '../styles/fonts.css';
import '../styles/tokens.css';
import '../styles/base.css';
import { mount } from 'svelte';
import { isLanguage, preferred, Words } from '../i18n/i18n.svelte.ts';
import { waitsBy } from '../lib/back-off.ts';
import { BrowserClock } from '../lib/clock.ts';
import { LivePlayer } from '../media/live-player.ts';
import { openSink } from '../media/sink.ts';
import Embed from './Embed.svelte';
import { WebListener } from './listener.svelte.ts';
import { read, Refused, refusedBy, soundPath } from './state.ts';

const id = /^\/embed\/([a-z0-9]{10,32})\/?$/.exec(location.pathname)?.[1] ?? '';
const asked = new URLSearchParams(location.search);
const words = new Words();
const clock = new BrowserClock();
await words.use(isLanguage(asked.get('lang')) ?? preferred());
const listener = new WebListener({
  ask: async () => {
    const answer = await fetch(`/embed/${id}/state`, { credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return read(await answer.json());
  },
  sound: (language, tell) =>
    new LivePlayer({
      open: async (ending, signal) => {
        const answer = await fetch(soundPath(id, language, ending), { credentials: 'omit', cache: 'no-store', signal });
        if (!answer.ok) throw await refusedBy(answer);
        return answer;
      },
      address: (ending) => soundPath(id, language, ending),
      sink: openSink,
      tell,
      isFinal: (error) => error instanceof Refused && error.reason !== '',
      clock,
      waits: waitsBy(clock, Math.random),
    }),
  clock,
  random: Math.random,
});
void listener.ask();
mount(Embed, { target: document.getElementById('app') as HTMLElement, props: { listener, words, id } });
