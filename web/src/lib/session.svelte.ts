// Who uses this page: the account signed in, if any.
import { Code, ConnectError } from '@connectrpc/connect';
import type { Account } from '../gen/majlis/auth/v1/account_pb.ts';
import { isLanguage, type Words } from '../i18n/i18n.svelte.ts';
import type { Api } from './api.ts';
import { passes } from './refusal.ts';
import type { Router } from './router.svelte.ts';
import type { Tabs, Word } from './tabs.ts';

/** What goes on while somebody is signed in and must not outlive it: the room that plays. */
export interface Companion {
  /** Leaves; false when the person was asked and stays. */
  leave(): Promise<boolean>;
  /** Lets go of microphone and sound at once, without asking. */
  letGo(): Promise<void>;
}

export interface SessionParts {
  api: {
    readonly accounts: Pick<Api['accounts'], 'getMe'>;
    readonly signIns: Pick<Api['signIns'], 'signOut' | 'signOutEverywhere'>;
    whenSignedOut(listener: (refusal: unknown) => void): void;
  };
  router: Pick<Router, 'go'>;
  words: Pick<Words, 'code' | 'use'>;
  tabs: Tabs;
}

export class Session {
  account = $state.raw<Account | null>(null);
  /** False until the first answer. */
  known = $state(false);
  /** Why the server does not say who uses this page; null once it did. */
  refusal = $state.raw<unknown>(null);
  #companion: Companion | null = null;
  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get me(): string {
    return this.account?.profile?.userId ?? '';
  }

  /** From now on this ends with the sign-in, before it does. */
  accompany(companion: Companion): void {
    this.#companion = companion;
  }

  async start(): Promise<void> {
    const { api, tabs } = this.#parts;
    if (!this.known) tabs.listen((word, user) => this.#heard(word, user));
    api.whenSignedOut((refusal) => this.#over(refusal));
    try {
      this.adopt((await api.accounts.getMe({})).account ?? null);
      this.refusal = null;
    } catch (error) {
      const stranger = error instanceof ConnectError && error.code === Code.Unauthenticated;
      // Somebody who is here already stays while the server is only away.
      if (stranger || !passes(error)) this.adopt(null);
      this.refusal = stranger ? null : error;
    }
    this.known = true;
  }

  /** Takes what the server says of the account; the page follows its language. Nobody has no room to be heard in. */
  adopt(account: Account | null): void {
    if (!account) void this.#companion?.letGo();
    this.account = account;
    if (account) this.refusal = null;
    const code = isLanguage(account?.locale);
    if (code && code !== this.#parts.words.code) void this.#parts.words.use(code, true);
  }

  /** Signs this browser out and goes to the sign-in page. */
  async signOut(everywhere = false): Promise<void> {
    const { signIns } = this.#parts.api;
    await this.endBy(() => (everywhere ? signIns.signOutEverywhere({}) : signIns.signOut({})));
  }

  /**
   * Ends the sign-in by a call. Whoever leads a room alone is asked first; then microphone, sound and room are let go of,
   * here and in the browser's other tabs, before the call: nobody is heard once they believe to be gone.
   */
  async endBy(call: () => Promise<unknown>): Promise<void> {
    const { me } = this;
    const { tabs, router } = this.#parts;
    if (this.#companion && !(await this.#companion.leave())) return;
    tabs.tell('leaving', me);
    await call();
    tabs.tell('over', me);
    this.adopt(null);
    router.go('/sign-in');
  }

  /** The sign-in was found ended, or the account may not be used: nothing is asked, for nothing can be kept. */
  #over(refusal: unknown): void {
    if (this.me) this.#parts.tabs.tell('over', this.me);
    this.refusal = refusal;
    this.adopt(null);
  }

  /** Another tab of this browser signs this person out. */
  #heard(word: Word, user: string): void {
    if (user !== this.me) return;
    if (word === 'over') this.adopt(null);
    else void this.#companion?.letGo();
  }
}
