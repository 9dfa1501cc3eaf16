// Starts the client: who is signed in, then the page of the address.
import { mount } from 'svelte';
import { build } from './app/build.ts';
import { contextOf } from './app/parts.ts';
import { together } from './room/kept-places.svelte.ts';
import App from './App.svelte';
import type { Words } from './i18n/i18n.svelte.ts';
import type { Theme } from './lib/theme.svelte.ts';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): unknown };
}

/** The worker's address in the form that Trusted Types ask for, where the browser knows them. */
function workerUrl(): unknown {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types?.createPolicy('majlis', { createScriptURL: () => '/sw.js' }).createScriptURL('/sw.js') ?? '/sw.js';
}

/** Puts the client in the place of what the page showed while it was loading. */
export function start(place: HTMLElement, words: Words, theme: Theme): void {
  const parts = build(words, theme);
  const { choices, router, places, player, session } = parts;
  router.start();
  player.start();
  session.accompany(together(player, places, choices));
  void session.start();
  place.replaceChildren();
  mount(App, { target: place, context: contextOf(parts) });
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    // Without it the client works all the same, only not without a network.
    navigator.serviceWorker.register(workerUrl() as string).catch(() => undefined);
  }
}
