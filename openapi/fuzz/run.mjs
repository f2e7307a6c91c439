// Owns `make fuzz`: schemathesis against a server of its own that is full of people, rooms and messages, with the settings of
// schemathesis.toml and hooks.py. Schemathesis alone decides what is sent and whether an answer is as documented.
//
// `node run.mjs [ARGUMENT ...]` with PARLOR_BIN and SCHEMATHESIS (absolute paths); further arguments go to schemathesis.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../clients/server.mjs';

/** Another one than in the document's examples: with that, changePassword would succeed and sign in would fail from then on. */
const PASSWORD = 'a giraffe reads the tide tables';
/** No rates: schemathesis would reach them at once. */
const KEYS = { PARLOR_LIMITS__ENABLED: 'false' };
/** Test cases an operation in each phase that draws them. */
const EXAMPLES = 100;

/** Somebody who is signed in. */
async function person(url, username) {
  const call = async (method, path, body, token) => {
    const answer = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  };
  await call('POST', '/v1/users', { username, password: PASSWORD });
  const signIn = () => call('POST', '/v1/login', { username, password: PASSWORD });
  const { access_token: token } = await signIn();
  return { signIn, call: (method, path, body) => call(method, path, body, token) };
}

/** Rooms of both kinds with members and more than a page of messages, a room that is gone, sessions that are over. */
async function settle(url) {
  const driver = await person(url, 'driver');
  const grace = await person(url, 'grace');
  await person(url, 'linus');
  const lobby = await driver.call('POST', '/v1/rooms', { name: 'lobby', title: 'Lobby', topic: 'Everything' });
  const hall = await grace.call('POST', '/v1/rooms', { name: 'hall' });
  const attic = await driver.call('POST', '/v1/rooms', { name: 'attic', visibility: 'private' });
  await grace.call('POST', '/v1/rooms', { name: 'study', visibility: 'private' });
  const gone = await driver.call('POST', '/v1/rooms', { name: 'gone' });
  await driver.call('DELETE', `/v1/rooms/${gone.id}`);
  await grace.call('POST', `/v1/rooms/${lobby.id}/join`);
  await driver.call('POST', `/v1/rooms/${hall.id}/join`);
  await driver.call('PUT', `/v1/rooms/${attic.id}/members/grace`, { role: 'owner' });
  for (const room of [lobby, hall, attic]) {
    const posts = Array.from({ length: 120 }, (_, n) => ({ body: `Message ${n}`, client_id: `seed-${n}` }));
    await Promise.all(posts.map((post) => driver.call('POST', `/v1/rooms/${room.id}/messages`, post)));
  }
  for (const { id, current } of (await driver.call('GET', '/v1/sessions')).items) {
    if (!current) await driver.call('DELETE', `/v1/sessions/${id}`);
  }
  await driver.signIn();
}

/**
 * The published document, with what its introduction says of null in requests said by the schemas. There `nullable` is left out,
 * because it makes a wrapper of every such field in Go and Java.
 */
async function withNull(url) {
  const document = await (await fetch(`${url}/openapi.json`)).json();
  const orNull = (schema) => ({ nullable: true, ...(schema.$ref ? { allOf: [schema] } : schema) });
  for (const operation of Object.values(document.paths).flatMap(Object.values)) {
    const content = operation.requestBody?.content['application/json'];
    if (!content) continue;
    const { required = [], properties } = document.components.schemas[content.schema.$ref.split('/').at(-1)];
    for (const name of Object.keys(properties)) {
      if (!required.includes(name)) properties[name] = orNull(properties[name]);
    }
    if (!operation.requestBody.required) content.schema = orNull(content.schema);
  }
  return document;
}

const { url, stop } = await startServer(KEYS);
await settle(url);
const folder = mkdtempSync(join(tmpdir(), 'parlor-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const asked = join(folder, 'openapi.json');
writeFileSync(asked, JSON.stringify(await withNull(url)));
const config = fileURLToPath(new URL('schemathesis.toml', import.meta.url));
const hooks = fileURLToPath(new URL('hooks.py', import.meta.url));
const fixed = ['--config-file', config, 'run', '--mode', 'all', '--max-examples', String(EXAMPLES)];
const report = ['--generation-database', 'none', '--no-color'];
const run = spawn(process.env.SCHEMATHESIS, [...fixed, ...report, ...process.argv.slice(2), '--url', url, asked], {
  env: { ...process.env, PARLOR_FUZZ_PASSWORD: PASSWORD, SCHEMATHESIS_HOOKS: hooks },
  stdio: ['ignore', 'inherit', 'inherit'],
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.once('exit', () => run.kill('SIGKILL'));
process.exitCode = await new Promise((resolve, reject) => {
  run.once('error', reject);
  run.once('close', (code) => resolve(code ?? 1));
});
await stop();
