// Owns following a room: one endless series of events over as many connections as it takes.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './generated/client/index.js';
import { streamRoomEvents } from './generated/sdk.gen.js';
import type { StreamEvent } from './generated/types.gen.js';
import { Refused } from './session.js';

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
export async function* follow(client: Client, room: string, after?: string): AsyncGenerator<StreamEvent, void> {
  let retry = 3000;
  let patience = FIRST_PATIENCE_MS;
  for (let failures = 0; ; failures += 1) {
    const connection = new AbortController();
    let silence = setTimeout(() => connection.abort(), patience);
    let wait: number | undefined;
    let failure: unknown;
    try {
      const { stream } = await streamRoomEvents({
        client,
        path: { room },
        query: { after },
        signal: connection.signal,
        // One connection a call: the client's own retries go on after a 401 or 404, and not after the end of a stream.
        sseMaxRetryAttempts: 1,
        onSseError: (error) => (failure = error),
        onSseEvent: (frame) => {
          retry = frame.retry || retry;
          // A ping comes when nothing else does: without one for so long the connection is dead.
          clearTimeout(silence);
          silence = setTimeout(() => connection.abort(), patience);
        },
      });
      for await (const event of stream) {
        after = event.cursor ?? after;
        failures = 0;
        if (event.heartbeat_seconds) patience = event.heartbeat_seconds * 2000;
        if (event.type === 'bye') {
          if (event.retry_seconds === undefined) return;
          wait = event.retry_seconds * 1000;
        }
        if (!['hello', 'ping', 'bye'].includes(event.type)) yield event;
      }
    } finally {
      clearTimeout(silence);
      connection.abort();
    }
    // A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room.
    if (failure !== undefined && !mayPass(failure)) throw failure;
    const leastWait = failure instanceof Refused ? failure.retryAfterMs : 0;
    // The wait is random in part: after a restart not all readers should come back at the same moment.
    const backoff = Math.min(retry * 2 ** failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    await sleep(wait ?? Math.max(backoff, leastWait));
  }
}
