// Owns asking again for what could not be fetched. Must not know what it is.
import { after, ticks } from '../platform/browser';
import { Backoff } from '../stream/backoff';

/**
 * Fetches again while something `lacks`: once after each failure, when the wait is over that grows with the failures and
 * that the server may name. `trouble` is why the last attempt failed, and null while another one is under way. Call it
 * while a component is made; it ends with the component.
 */
export function again(lacks: () => boolean, trouble: () => unknown, fetch: () => unknown): void {
  const backoff = new Backoff(ticks, Math.random);
  $effect(() => {
    if (!lacks()) return backoff.reset();
    const why = trouble();
    if (why) return after(backoff.wait(why), fetch);
  });
}
