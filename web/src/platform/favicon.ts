// Owns the small picture of the page in the browser's tab. Must not know what is unread.

/** Shows the picture with or without the mark for something unread. */
export function badge(on: boolean): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const href = on ? '/favicon-unread.svg' : '/favicon.svg';
  if (link && link.getAttribute('href') !== href) link.href = href;
}
