// Starts Prism's mock of the document and asks it for every operation, as the examples of the document say: each must answer
// with the example of its success, the two streams with the text of theirs.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';

const READY_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
const EVENT_STREAM = 'text/event-stream';

const file = new URL('../../openapi.json', import.meta.url);
const { paths } = JSON.parse(readFileSync(file, 'utf8'));

/** Starts it on a free port and gives its address. */
function startPrism() {
  const prism = spawn('node_modules/.bin/prism', ['mock', '--host', '127.0.0.1', '--port', '0', file.pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => prism.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('Prism is not ready')), READY_WITHIN_MS).unref();
    prism.once('exit', (code) => reject(new Error(`Prism ended with ${code}`)));
    createInterface({ input: prism.stdout }).on('line', (line) => {
      const address = /listening on (http:\/\/\S+)/.exec(line)?.[1];
      if (address) resolve(address);
    });
  });
}

/** Sends the example of an operation, and says what is wrong with the answer, if anything is. */
async function fault(url, path, method, operation) {
  let address = path;
  for (const { name, example } of operation.parameters ?? []) {
    address = address.replace(`{${name}}`, encodeURIComponent(example));
  }
  const body = operation.requestBody?.content['application/json'].example;
  const answer = await fetch(url + address, {
    method: method.toUpperCase(),
    headers: { authorization: 'Bearer token', ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const text = await answer.text();
  const content = operation.responses[answer.status]?.content;
  if (!answer.ok) return `${answer.status} ${text}`;
  if (!content) return text && `a body where there is none: ${text}`;
  const [[type, { example }]] = Object.entries(content);
  if (!answer.headers.get('content-type')?.startsWith(type)) return `not ${type}, but ${answer.headers.get('content-type')}`;
  const given = type === EVENT_STREAM ? text : JSON.parse(text);
  return isDeepStrictEqual(given, example) ? '' : `another body than its example: ${text}`;
}

const url = await startPrism();
let [operations, streams] = [0, 0];
for (const [path, methods] of Object.entries(paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const wrong = await fault(url, path, method, operation);
    if (wrong) throw new Error(`${operation.operationId}: ${wrong}`);
    operations += 1;
    streams += Number(EVENT_STREAM in (operation.responses[200]?.content ?? {}));
  }
}
if (streams !== 2) throw new Error(`there are two streams, but ${streams} answered`);
console.log(`${operations} operations answered with their examples, ${streams} of them streams`);
process.exit();
