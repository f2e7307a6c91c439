// Tomorrow's server: a proxy that adds to every answer what a later version of Parlor might, within what the document
// promises: fields, event types, values of open sets and problem codes that nobody knows yet. It counts what it added, so
// that a test can tell that it did. Must not know which client is behind it.
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
const unknownEvents = (id, room) => [
  `id: ${id}\ndata: ${JSON.stringify({ type: 'poll.opened', cursor: id, room, ...UNKNOWN_FIELDS })}\n\n`,
  `data: ${JSON.stringify({ type: 'weather', room, ...UNKNOWN_FIELDS })}\n\n`,
  `event: notice\ndata: ${JSON.stringify({ type: 'notice', ...UNKNOWN_FIELDS })}\n\n`,
];

/** Listens on loopback and passes everything on to `target`. `changes` counts what was added since it was last reset. */
export async function startTomorrow(target) {
  const changes = { fields: 0, values: 0, codes: 0, events: 0 };
  const proxy = createServer((asked, answer) => {
    const passed = request(
      new URL(asked.url, target),
      { method: asked.method, headers: { ...asked.headers, host: new URL(target).host } },
      (answered) => {
        // A client that left takes its stream with it, and a server that broke off breaks off here.
        answer.on('close', () => answered.destroy());
        answered.on('error', () => answer.destroy());
        const headers = { ...answered.headers, 'x-tomorrow': 'a header of a later version' };
        delete headers['content-length'];
        answer.writeHead(answered.statusCode, headers);
        answer.flushHeaders();
        const type = answered.headers['content-type'] ?? '';
        if (type.startsWith('text/event-stream')) passStream(answered, answer, changes);
        else if (/^application\/(problem\+)?json/.test(type)) passJson(answered, answer, changes);
        else answered.pipe(answer);
      },
    );
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = () => {
    proxy.closeAllConnections();
    return new Promise((resolve) => proxy.close(resolve));
  };
  return { url: `http://127.0.0.1:${proxy.address().port}`, changes, close };
}

function passJson(answered, answer, changes) {
  let text = '';
  answered.setEncoding('utf8');
  answered.on('data', (part) => (text += part));
  answered.on('end', () => answer.end(text && JSON.stringify(grown(JSON.parse(text), changes))));
}

/** Frame by frame, each in two writes, for a client must not take a chunk for a frame. */
function passStream(answered, answer, changes) {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  answered.on('data', (part) => {
    const frames = (rest + decoder.write(part)).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      const text = grownFrame(frame, changes);
      const middle = text.length >> 1;
      answer.write(text.slice(0, middle));
      answer.write(text.slice(middle));
    }
  });
  answered.on('end', () => answer.end(rest));
}

function grownFrame(frame, changes) {
  const lines = frame.split('\n');
  const at = lines.findIndex((line) => line.startsWith('data:'));
  if (at < 0) return `${frame}\n\n`;
  const event = JSON.parse(lines[at].slice('data:'.length));
  lines[at] = `data: ${JSON.stringify(grown(event, changes))}`;
  const text = `${lines.join('\n')}\n\n`;
  const isLast = event.type === 'bye';
  if (!event.cursor || isLast) return text;
  const more = unknownEvents(event.cursor, event.room);
  changes.events += more.length;
  return text + more.join('');
}

/** The same value as a later version might say it. */
export function grown(value, changes) {
  if (Array.isArray(value)) return value.map((element) => grown(element, changes));
  if (value === null || typeof value !== 'object') return value;
  const isProblem = typeof value.code === 'string' && typeof value.request_id === 'string';
  const entries = Object.entries(value).map(([name, inner]) => {
    if (name in UNKNOWN_VALUES && typeof inner === 'string') {
      changes.values += 1;
      return [name, UNKNOWN_VALUES[name]];
    }
    return [name, grown(inner, changes)];
  });
  const more = Object.fromEntries([...entries, ...Object.entries(UNKNOWN_FIELDS)]);
  changes.fields += 1;
  if (isProblem) {
    changes.codes += 1;
    more.code = `tomorrow_${value.code}`;
    more.type = `urn:parlor:problem:${more.code}`;
  }
  return more;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startTomorrow(process.argv[2] ?? 'http://127.0.0.1:8080');
  console.log(`tomorrow's server listens on ${url}`);
}
