// Owns that the focus of the keyboard is never lost: when the element that had it goes away, it moves to the heading of
// the page or of the open dialog. Must not know what pages and dialogs show.

const dialogs = 'dialog[open]';

/** Where a reader with a keyboard goes on when there is no better place. */
export function focusPage(): void {
  const dialog = [...document.querySelectorAll<HTMLElement>(dialogs)].at(-1);
  const heading = document.querySelector<HTMLElement>('main h1');
  (dialog?.querySelector<HTMLElement>('button') ?? heading)?.focus({ preventScroll: true });
}

/** Watches for the rest of the page's life. A click on an empty place still takes the focus away, as readers expect. */
export function keepFocus(): void {
  let last: Element | null = null;
  document.addEventListener('focusin', (event) => (last = event.target as Element));
  const look = () => {
    // A page that is still loading has no heading yet; the next change looks again.
    if (last && !last.isConnected && document.activeElement === document.body) focusPage();
  };
  // Observers run after the change and before the next frame: whoever moves the focus on purpose has done so by then.
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}
