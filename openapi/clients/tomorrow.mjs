// Tomorrow's server: a proxy that adds to every answer what a later version of Parlor might, within what the document
// promises: fields, event types, values of open sets and problem codes that nobody knows yet. It also has a bad day: once it
// is too busy for a stream, twice for a renewal, once it resets a stream and once it ends one. It counts what it did and what
// its clients made of it, so that a test can tell. Must not know which client is behind it.
//
// By itself: `node tomorrow.mjs http://127.0.0.1:8080` prints the address at which tomorrow's server listens.
import { createServer, request } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';

/** What an object may have tomorrow: a text, a number, a list, and an object, which generators read in different ways. */
const UNKNOWN_FIELDS = { tomorrow: { note: 'added by a later version', parts: [1, 'two', { three: true }] }, tomorrow_count: 7 };

/** Properties whose values the document calls an open set, and what they may say tomorrow. */
const UNKNOWN_VALUES = {
  role: 'steward',
  visibility: 'listed',
  registration: 'invite',
  reason: 'tomorrow',
};

/** Event types of tomorrow: one of the log, at the cursor of the event before it, one without a place, one of the stream. */
const unknownEvents = (id, room) => ({
  'poll.opened': `id: ${id}\ndata: ${JSON.stringify({ type: 'poll.opened', cursor: id, room, ...UNKNOWN_FIELDS })}\n\n`,
  weather: `data: ${JSON.stringify({ type: 'weather', room, ...UNKNOWN_FIELDS })}\n\n`,
  notice: `event: notice\ndata: ${JSON.stringify({ type: 'notice', ...UNKNOWN_FIELDS })}\n\n`,
});

/** How long a client is asked to wait: longer than the 3 s that it waits by itself, so that one that ignores it is seen. */
const WAIT_SECONDS = 4;
/** A timer may be this much early, by its own count. */
const TIMER_SLACK_MS = 50;

/** What one proxy has done, and what it has still to do. */
class Day {
  /** How often each kind of change was made, and each wait was kept or not. */
  changes = {};
  /** Troubles that have not come yet. */
  #troubles = new Set(['busy stream', 'busy renewal', 'another busy renewal', 'reset', 'bye']);
  /** The clients that were asked to wait, by the cursor of the stream or the token of the renewal with which they come back. */
  #waits = new Map();

  count(kind) {
    this.changes[kind] = (this.changes[kind] ?? 0) + 1;
  }

  /** Whether this trouble comes now; each comes once. */
  meets(trouble) {
    const isDue = this.#troubles.delete(trouble);
    if (isDue) this.count(trouble);
    return isDue;
  }

  asksToWait(key, kind) {
    this.#waits.set(key, { kind, begun: performance.now() });
  }

  /** Whether a request is refused. One that comes back to `key` after a wait is not. */
  isTooBusy(trouble, key) {
    if (this.#endsWait(key)) return false;
    const isBusy = this.meets(trouble);
    if (isBusy) this.asksToWait(key, trouble);
    return isBusy;
  }

  #endsWait(key) {
    const wait = this.#waits.get(key);
    if (!wait) return false;
    this.#waits.delete(key);
    const isEarly = performance.now() - wait.begun < WAIT_SECONDS * 1000 - TIMER_SLACK_MS;
    this.count(`${isEarly ? 'too early' : 'back'} after ${wait.kind}`);
    return true;
  }
}

/** Listens on loopback and passes everything on to `target`. `changes` counts what was done. */
export async function startTomorrow(target) {
  const day = new Day();
  const proxy = createServer(async (asked, answer) => {
    const body = Buffer.concat(await asked.toArray().catch(() => []));
    const { pathname, searchParams } = new URL(asked.url, target);
    const cursor = asked.headers['last-event-id'] ?? searchParams.get('after');
    if (pathname.endsWith('/events') && day.isTooBusy('busy stream', cursor)) return refuse(answer);
    // The first renewal may be that of a stream, which comes back by itself; the next is that of a request.
    const renewal = day.changes['back after busy renewal'] ? 'another busy renewal' : 'busy renewal';
    const token = `${body}${asked.headers.cookie ?? ''}`;
    if (pathname === '/v1/refresh' && day.isTooBusy(renewal, token)) return refuse(answer);
    const passed = request(
      new URL(asked.url, target),
      { method: asked.method, headers: { ...asked.headers, host: new URL(target).host } },
      (answered) => {
        // When the client leaves, its stream at the server ends; when the server breaks off, so does this answer.
        answer.on('close', () => answered.destroy());
        answered.on('error', () => answer.destroy());
        const headers = { ...answered.headers, 'x-tomorrow': 'a header of a later version' };
        delete headers['content-length'];
        answer.writeHead(answered.statusCode, headers);
        answer.flushHeaders();
        const type = answered.headers['content-type'] ?? '';
        if (type.startsWith('text/event-stream')) passStream(answered, answer, day);
        else if (/^application\/(problem\+)?json/.test(type)) passJson(answered, answer, day);
        else answered.pipe(answer);
      },
    );
    passed.on('error', () => answer.destroy());
    passed.end(body);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = () => {
    proxy.closeAllConnections();
    return new Promise((resolve) => proxy.close(resolve));
  };
  return { url: `http://127.0.0.1:${proxy.address().port}`, changes: day.changes, close };
}

/** Answers as a server whose queue is full: nothing was done, and it says how long to wait. */
function refuse(answer) {
  const code = 'tomorrow_overloaded';
  const problem = { type: `urn:parlor:problem:${code}`, title: 'The server is busy', status: 503, code, request_id: code };
  answer.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': WAIT_SECONDS, 'x-request-id': code });
  answer.end(JSON.stringify({ ...problem, ...UNKNOWN_FIELDS }));
}

function passJson(answered, answer, day) {
  let text = '';
  answered.setEncoding('utf8');
  answered.on('data', (part) => (text += part));
  answered.on('end', () => answer.end(text && JSON.stringify(grown(JSON.parse(text), day))));
}

/** Passes frame by frame, each in two writes, because a client must not take a chunk for a frame. */
function passStream(answered, answer, day) {
  const decoder = new StringDecoder('utf8');
  const write = (text) => {
    const middle = text.length >> 1;
    answer.write(text.slice(0, middle));
    answer.write(text.slice(middle));
  };
  let rest = '';
  let hello;
  let events = 0;
  let wasReset = false;
  answered.on('data', (part) => {
    // What was read before a `bye` may still come after it.
    if (answer.writableEnded) return;
    const frames = (rest + decoder.write(part)).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      const { text, event } = grownFrame(frame, day);
      write(text);
      if (!event?.cursor) continue;
      hello ??= event;
      if (event === hello) continue;
      events += 1;
      if (events === 1 && day.meets('reset')) {
        wasReset = true;
        day.count('reason');
        write(`id: ${event.cursor}\nevent: reset\ndata: ${JSON.stringify({ ...hello, ...RESET, cursor: event.cursor })}\n\n`);
      }
      // In the middle of another stream: a client that does not come back to that place misses what follows.
      if (events === 2 && !wasReset && day.meets('bye')) {
        day.count('reason');
        write(`retry: ${WAIT_SECONDS * 1000}\nevent: bye\ndata: ${JSON.stringify(BYE)}\n\n`);
        day.asksToWait(event.cursor, 'bye');
        answer.end();
        return answered.destroy();
      }
    }
  });
  answered.on('end', () => answer.writableEnded || answer.end(rest));
}

/** Its cursor is where the stream is, so nothing is missed by a client that only follows. */
const RESET = { type: 'reset', reason: UNKNOWN_VALUES.reason, resumed: false };
const BYE = { type: 'bye', reason: UNKNOWN_VALUES.reason, retry_seconds: WAIT_SECONDS, ...UNKNOWN_FIELDS };

/** The frame of a later version, with new ones behind it, and the event that it was. */
function grownFrame(frame, day) {
  const lines = frame.split('\n');
  const at = lines.findIndex((line) => line.startsWith('data:'));
  if (at < 0) return { text: `${frame}\n\n` };
  const event = JSON.parse(lines[at].slice('data:'.length));
  lines[at] = `data: ${JSON.stringify(grown(event, day))}`;
  let text = `${lines.join('\n')}\n\n`;
  if (event.cursor) {
    for (const [type, more] of Object.entries(unknownEvents(event.cursor, event.room))) {
      day.count(type);
      text += more;
    }
  }
  return { text, event };
}

/** The same value as a later version might say it. */
function grown(value, day) {
  if (Array.isArray(value)) return value.map((element) => grown(element, day));
  if (value === null || typeof value !== 'object') return value;
  const isProblem = typeof value.code === 'string' && typeof value.request_id === 'string';
  const entries = Object.entries(value).map(([name, inner]) => {
    if (name in UNKNOWN_VALUES && typeof inner === 'string') {
      day.count(name);
      return [name, UNKNOWN_VALUES[name]];
    }
    return [name, grown(inner, day)];
  });
  const more = Object.fromEntries([...entries, ...Object.entries(UNKNOWN_FIELDS)]);
  day.count('field');
  if (isProblem) {
    day.count('code');
    more.code = `tomorrow_${value.code}`;
    more.type = `urn:parlor:problem:${more.code}`;
  }
  return more;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startTomorrow(process.argv[2] ?? 'http://127.0.0.1:8080');
  console.log(`tomorrow's server listens on ${url}`);
}
