// Small preferences kept in the browser; a browser that forbids storage only forgets them.

/** The kept text, or null. */
export function recall(key: string, area: 'local' | 'session' = 'local'): string | null {
  try {
    return (area === 'local' ? localStorage : sessionStorage).getItem(`majlis.${key}`);
  } catch {
    return null;
  }
}

/** Keeps a text, or forgets it when given null. */
export function keep(key: string, value: string | null, area: 'local' | 'session' = 'local'): void {
  try {
    const store = area === 'local' ? localStorage : sessionStorage;
    if (value === null) store.removeItem(`majlis.${key}`);
    else store.setItem(`majlis.${key}`, value);
  } catch {
    // A browser in a strict mode keeps nothing: the page works the same until it is closed.
  }
}
