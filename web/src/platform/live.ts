// Owns the wiring of the live stream to the browser: sockets, locks, channels. Must not hold state of the conversation.
import { calls, renewal } from '../api/calls';
import { Problem } from '../api/problem';
import { SharedStream } from '../stream/shared';
import { LiveSource, openSocket, type SourceListener } from '../stream/source';
import { after, channel, ticks } from './browser';

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
  renew: () => renewal.renew(renewal.mark),
  now: ticks,
  random: Math.random,
  after,
};

export function sharedStream(user: string, listener: SourceListener): SharedStream {
  return new SharedStream(
    {
      source: (listener, cursor) => new LiveSource(sourceParts, listener, cursor),
      locks: 'locks' in navigator ? navigator.locks : null,
      channel: channel(`parlor-stream:${user}`),
      now: ticks,
      visible: () => document.visibilityState === 'visible',
      after,
    },
    listener,
  );
}
