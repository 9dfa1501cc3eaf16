// Starts the client: who is signed in, then the page of the address.
import { mount } from 'svelte';
import App from './App.svelte';
import { router } from './lib/router.svelte.ts';
import { session } from './lib/session.svelte.ts';
import { player } from './room/player.svelte.ts';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): unknown };
}

/** The worker's address in the form that Trusted Types ask for, where the browser knows them. */
function workerUrl(): unknown {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types?.createPolicy('majlis', { createScriptURL: () => '/sw.js' }).createScriptURL('/sw.js') ?? '/sw.js';
}

/** Puts the client in the place of what the page showed while it was loading. */
export function start(place: HTMLElement): void {
  router.start();
  player.start();
  session.accompany(player);
  void session.start();
  place.replaceChildren();
  mount(App, { target: place });
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    // Without it the client works all the same, only not without a network.
    navigator.serviceWorker.register(workerUrl() as string).catch(() => undefined);
  }
}
