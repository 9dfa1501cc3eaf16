// Which page is shown: paths by the history API, nothing but the address decides.
import { decoded, tidiedPath, tidy } from './pasted.ts';

export type Route =
  | { page: 'hallway' }
  | { page: 'room'; room: string; key: string }
  | { page: 'invitation'; code: string }
  | { page: 'setup'; token: string }
  | { page: 'sign-in'; next: string }
  | { page: 'invitations' }
  | { page: 'profile' }
  | { page: 'console' }
  | { page: 'reach' }
  | { page: 'missing' };

const simple: Record<string, Route> = {
  '/': { page: 'hallway' },
  '/invitations': { page: 'invitations' },
  '/profile': { page: 'profile' },
  '/console': { page: 'console' },
  '/reach': { page: 'reach' },
};

/** The page an address stands for; what the sentence around a link added is cut. The gateway answers the same ones with 200. */
export function parse(url: URL): Route {
  const path = tidiedPath(url.pathname);
  const known = simple[path];
  if (known) return known;
  const secret = tidy(decoded(url.hash.slice(1)));
  if (path === '/setup') return { page: 'setup', token: secret };
  if (path === '/sign-in') return { page: 'sign-in', next: inside(url.searchParams.get('next')) };
  const room = /^\/r\/([a-z0-9]{10,32})$/.exec(path)?.[1];
  if (room) return { page: 'room', room, key: secret };
  const code = /^\/i\/([A-Za-z0-9_-]{8,64})$/.exec(path)?.[1];
  if (code) return { page: 'invitation', code };
  return { page: 'missing' };
}

/** Only paths of this origin may be gone to after signing in. */
function inside(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}

/** The page of the address bar. */
function here(): Route {
  return parse(new URL(location.href));
}

export class Router {
  route = $state<Route>({ page: 'missing' });

  start(): void {
    this.route = here();
    addEventListener('popstate', () => this.#show());
    addEventListener('hashchange', () => this.#show());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  #show(): void {
    this.route = here();
  }

  /** Goes to a path of this origin. */
  go(path: string, how: 'push' | 'replace' = 'push'): void {
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', path);
    this.#show();
    scrollTo(0, 0);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = (event.target as Element).closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  }
}
