// Keyboard and screen reader keep their place: focus that vanishes with what had it goes on to what came instead.

/** Where a page or sheet begins: at the field marked for it, else at its heading. */
export function begin(root: HTMLElement): void {
  const field = root.querySelector<HTMLElement>('[data-begin]');
  // On a touch screen a field would bring the keyboard up over what is to be read first.
  if (field && !matchMedia('(pointer: coarse)').matches) return field.focus({ preventScroll: true });
  const heading = root.querySelector<HTMLElement>('h1, h2') ?? root;
  if (!heading.hasAttribute('tabindex')) heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** An attachment: whenever the focused part of an element is taken away, the element begins anew. */
export function keepFocus(root: HTMLElement): () => void {
  let last: Element | null = null;
  const note = (event: FocusEvent): void => void (last = event.target as Element);
  const watch = new MutationObserver(() => {
    if (!last || last.isConnected || document.activeElement !== document.body) return;
    last = null;
    begin(root);
  });
  root.addEventListener('focusin', note);
  watch.observe(root, { childList: true, subtree: true });
  return () => {
    root.removeEventListener('focusin', note);
    watch.disconnect();
  };
}
