// Builds every part of the client once, by hand; what only rooms need is built in rooms.ts.
import type { Words } from '../i18n/i18n.svelte.ts';
import { Api, wayTo } from '../lib/api.ts';
import { waitsBy } from '../lib/back-off.ts';
import { BrowserClock, BrowserNetwork } from '../lib/clock.ts';
import { everySecond } from '../lib/now.svelte.ts';
import { Router } from '../lib/router.svelte.ts';
import { Session } from '../lib/session.svelte.ts';
import { Sharing } from '../lib/share.ts';
import { keep, recall } from '../lib/storage.ts';
import { openChannel, Tabs } from '../lib/tabs.ts';
import type { Theme } from '../lib/theme.svelte.ts';
import { Toasts } from '../lib/toasts.svelte.ts';
import { Levels } from '../media/levels.ts';
import { Choices } from '../room/choices.ts';
import { KeptPlaces } from '../room/kept-places.svelte.ts';
import { Player } from '../room/player.svelte.ts';
import { savesData, Thrift } from '../room/thrift.svelte.ts';
import type { Parts } from './parts.ts';

/** Texts and theme come first: the page is shown in them before the rest is there. */
export function build(words: Words, theme: Theme): Parts {
  const clock = new BrowserClock();
  const api = new Api(wayTo(location.origin));
  const router = new Router();
  const toasts = new Toasts(words, clock);
  const now = everySecond(clock);
  const session = new Session({ api, router, words, tabs: new Tabs(openChannel()) });
  return {
    api,
    router,
    toasts,
    words,
    theme,
    clock,
    session,
    sharing: new Sharing(toasts),
    levels: new Levels(clock),
    player: new Player(toasts, clock),
    // A ticket is for this tab: another one takes a place over, as another device does.
    places: new KeptPlaces({
      recall: () => recall('places', 'session'),
      keep: (text) => keep('places', text, 'session'),
      recallAll: () => recall('waiting'),
      keepAll: (text) => keep('waiting', text),
      me: () => session.account?.profile?.userId ?? '',
      leaveLine: (roomId, ticket) => api.rooms.leaveLine({ roomId, ticket }),
      clock,
      now,
    }),
    choices: new Choices({ recall: () => recall('choices', 'session'), keep: (text) => keep('choices', text, 'session'), me: () => session.me }),
    thrift: new Thrift({ recall: () => recall('thrift'), keep: (text) => keep('thrift', text), asked: () => savesData(navigator) }),
    network: new BrowserNetwork(),
    waits: waitsBy(clock, Math.random),
    now,
  };
}
