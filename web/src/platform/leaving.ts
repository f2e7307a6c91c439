// Owns the browser's question before a page is closed. Must not know why it is asked.

/** The browser asks before this page closes, until the returned function is called. It chooses the words itself. */
export function askBeforeLeaving(): () => void {
  const ask = (event: BeforeUnloadEvent) => event.preventDefault();
  // Only while it is needed: with such a listener some browsers do not keep the page for going back.
  addEventListener('beforeunload', ask);
  return () => removeEventListener('beforeunload', ask);
}
