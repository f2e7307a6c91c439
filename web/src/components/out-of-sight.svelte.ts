// Owns how many unread rooms a scrolling list hides at either edge, and going to the next of them. Must not know rooms.

export class OutOfSight {
  above = $state(0);
  below = $state(0);
  #list!: HTMLElement;

  /** Looks when the list is scrolled or changes its size. The links of unread rooms have the class `unread`. */
  attach = (list: HTMLElement): (() => void) => {
    this.#list = list;
    list.addEventListener('scroll', this.look, { passive: true });
    const sizes = new ResizeObserver(this.look);
    sizes.observe(list);
    for (const child of list.children) sizes.observe(child);
    return () => {
      sizes.disconnect();
      list.removeEventListener('scroll', this.look);
    };
  };

  look = (): void => {
    const { top, bottom } = this.#list.getBoundingClientRect();
    const middles = this.#unread().map((link) => {
      const box = link.getBoundingClientRect();
      return (box.top + box.bottom) / 2;
    });
    this.above = middles.filter((middle) => middle < top).length;
    this.below = middles.filter((middle) => middle > bottom).length;
  };

  /** Scrolls to the nearest hidden room above or below, and gives it focus. */
  show(way: 'above' | 'below'): void {
    const links = this.#unread();
    const link = way === 'above' ? links[this.above - 1] : links.at(-this.below);
    link?.scrollIntoView({ block: 'center' });
    link?.focus({ preventScroll: true });
  }

  #unread(): HTMLElement[] {
    return [...this.#list.querySelectorAll<HTMLElement>('a.unread')];
  }
}
