// Owns following a room: one endless series of events over as many connections as it takes.
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { StreamEvent } from './generated/parlor.js';
import { given, Refused, type Parlor } from './session.js';

const LONGEST_WAIT_MS = 30_000;
/** How long a connection may be silent before `hello` has told how often the server gives a sign of life. */
const FIRST_PATIENCE_MS = 30_000;

/** Whether coming back may help: the connection broke (for `fetch` a TypeError) or was silent, or the server is busy. */
function mayPass(error: unknown): boolean {
  if (error instanceof Refused) return error.status === 429 || error.status >= 500;
  return error instanceof TypeError || (error instanceof Error && error.name === 'AbortError');
}

/**
 * The events of a room after a cursor, from now without one. It ends when the server says not to come back, or with the
 * refusal that is final. A `reset` among the events says that some cannot be had any more: fetch what you show anew.
 */
export async function* follow(api: Parlor, room: string, after?: string): AsyncGenerator<StreamEvent, void> {
  let retry = 3000;
  let patience = FIRST_PATIENCE_MS;
  for (let failures = 0; ; failures += 1) {
    const connection = new AbortController();
    let silence = setTimeout(() => connection.abort(), patience);
    let wait: number | undefined;
    let leastWait = 0;
    try {
      const params = { path: { room }, query: { after } };
      const options = { params, parseAs: 'stream', signal: connection.signal } as const;
      const bytes = given(await api.GET('/v1/rooms/{room}/events', options))!;
      const frames = bytes
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream({ onRetry: (ms) => (retry = ms || retry) }));
      for await (const frame of frames) {
        const event = JSON.parse(frame.data) as StreamEvent;
        after = frame.id ?? after;
        failures = 0;
        if (event.type === 'bye') {
          if (event.retry_seconds === undefined) return;
          wait = event.retry_seconds * 1000;
        }
        // A ping comes when nothing else does: without one for so long the connection is dead.
        if (event.heartbeat_seconds) patience = event.heartbeat_seconds * 2000;
        clearTimeout(silence);
        silence = setTimeout(() => connection.abort(), patience);
        if (!frame.event || event.type === 'reset') yield event;
      }
    } catch (error) {
      // A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room.
      if (!mayPass(error)) throw error;
      if (error instanceof Refused) leastWait = error.retryAfterMs;
    } finally {
      clearTimeout(silence);
      connection.abort();
    }
    // The wait is random in part: after a restart not all readers should come back at the same moment.
    const backoff = Math.min(retry * 2 ** failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    await sleep(wait ?? Math.max(backoff, leastWait));
  }
}
