// Owns the small differences between browsers and the wiring of browser parts: ids, timers, locks, channels. Must not
// hold state of the conversation.
import { calls, renewal } from '../api/calls';
import { Problem } from '../api/problem';
import { SharedStream } from '../stream/shared';
import { LiveSource, openSocket, type SourceListener } from '../stream/source';

/** A random id; `crypto.randomUUID` does not exist on plain http from another host. */
export function newId(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

export function channel(name: string): BroadcastChannel | null {
  return 'BroadcastChannel' in window ? new BroadcastChannel(name) : null;
}

const sourceParts = {
  open: openSocket,
  async probe() {
    try {
      await calls.me();
      return 'in' as const;
    } catch (error) {
      return error instanceof Problem && error.status === 401 ? 'over' : 'unreachable';
    }
  },
  renew: () => renewal.renew(Date.now()),
  now: () => Date.now(),
  random: Math.random,
  after,
};

export function sharedStream(user: string, listener: SourceListener): SharedStream {
  return new SharedStream(
    {
      source: (listener, cursor) => new LiveSource(sourceParts, listener, cursor),
      locks: 'locks' in navigator ? navigator.locks : null,
      channel: channel(`parlor-stream:${user}`),
      now: () => Date.now(),
      visible: () => document.visibilityState === 'visible',
      after,
    },
    listener,
  );
}
