// Owns where the focus goes when a dialog opens and when it closes. Must not know what a dialog asks.

const fields = 'input:not([hidden], [type="radio"], [type="checkbox"]), select, textarea';

/**
 * Shows a dialog with the focus in its first field, or else on its first button below the heading. When it goes away,
 * focus returns to where it was; if that is gone, to the heading of the page. It never falls on the body.
 */
export function modal(dialog: HTMLDialogElement): () => void {
  const before = document.activeElement;
  dialog.showModal();
  (
    dialog.querySelector<HTMLElement>(fields) ??
    dialog.querySelector<HTMLElement>('header ~ * button')
  )?.focus();
  return () => {
    dialog.close();
    focusBack(before);
  };
}

export function focusBack(to: Element | null): void {
  const there = to instanceof HTMLElement && to.isConnected && to !== document.body;
  const target = there ? to : document.querySelector<HTMLElement>('main h1');
  target?.focus({ preventScroll: true });
}

/** After a refused form: the first field with a fault, so that its text is read out. */
export function focusFault(form: HTMLFormElement): void {
  requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}
