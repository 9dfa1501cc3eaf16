// Starts the client: language, theme, who is signed in, then the page of the address.
import { mount } from 'svelte';
import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import App from './App.svelte';
import { locale } from './i18n/i18n.svelte.ts';
import { router } from './lib/router.svelte.ts';
import { session } from './lib/session.svelte.ts';
import { theme } from './lib/theme.svelte.ts';
import { player } from './room/player.svelte.ts';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): unknown };
}

/** The worker's address in the form that Trusted Types ask for, where the browser knows them. */
function workerUrl(): unknown {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types?.createPolicy('majlis', { createScriptURL: () => '/sw.js' }).createScriptURL('/sw.js') ?? '/sw.js';
}

theme.start();
router.start();
player.start();
await Promise.all([locale.start(), session.start()]);
mount(App, { target: document.getElementById('app') as HTMLElement });
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  // Without it the client works all the same, only not without a network.
  navigator.serviceWorker.register(workerUrl() as string).catch(() => undefined);
}
