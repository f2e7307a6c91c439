// Answers in bytes that a server cannot be made to give when one wants them: `GET /v1/users/414` gets status 414 as hyper gives
// it, before there is a request, with no body and no type; 500 is the problem of a handler that broke. Must not know who asks.
//
// By itself: `node bare.mjs` prints the address at which it listens.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const document = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'));
const PROBLEM = document.components.examples.internal.value;

function answerTo(status) {
  const body = status === 500 ? JSON.stringify(PROBLEM) : '';
  const head = [`HTTP/1.1 ${status} Refused`, 'connection: close', `content-length: ${body.length}`];
  if (body) head.push('content-type: application/problem+json', `x-request-id: ${PROBLEM.request_id}`);
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Listens on loopback. */
export async function startBare() {
  const server = createServer((socket) => {
    let head = '';
    socket.on('error', () => {});
    socket.on('data', (part) => {
      head += part;
      const status = /^GET \/v1\/users\/(\d{3}) /.exec(head)?.[1] ?? 400;
      if (head.includes('\r\n\r\n')) socket.end(answerTo(Number(status)));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startBare();
  console.log(`bare answers at ${url}`);
}
