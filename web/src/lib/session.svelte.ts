// Who uses this page: the account signed in, if any.
import { Code, ConnectError } from '@connectrpc/connect';
import type { Account } from '../gen/majlis/auth/v1/account_pb.ts';
import { isLanguage, locale } from '../i18n/i18n.svelte.ts';
import { auth, whenSignedOut } from './api.ts';
import { passes } from './refusal.ts';
import { router } from './router.svelte.ts';

class Session {
  account = $state.raw<Account | null>(null);
  /** False until the first answer. */
  known = $state(false);
  /** Why the server does not say who uses this page; null once it did. */
  refusal = $state.raw<unknown>(null);

  get me(): string {
    return this.account?.profile?.userId ?? '';
  }

  async start(): Promise<void> {
    whenSignedOut((refusal) => {
      this.refusal = refusal;
      this.adopt(null);
    });
    try {
      this.adopt((await auth.getMe({})).account ?? null);
      this.refusal = null;
    } catch (error) {
      const stranger = error instanceof ConnectError && error.code === Code.Unauthenticated;
      // Somebody who is here already stays while the server is only away.
      if (stranger || !passes(error)) this.adopt(null);
      this.refusal = stranger ? null : error;
    }
    this.known = true;
  }

  /** Takes what the server says of the account; the page follows its language. */
  adopt(account: Account | null): void {
    this.account = account;
    if (account) this.refusal = null;
    const code = isLanguage(account?.locale);
    if (code && code !== locale.code) void locale.use(code, true);
  }

  /** Signs this browser out and goes to the sign-in page. */
  async signOut(everywhere = false): Promise<void> {
    await (everywhere ? auth.signOutEverywhere({}) : auth.signOut({}));
    this.adopt(null);
    router.go('/sign-in');
  }
}

export const session = new Session();
