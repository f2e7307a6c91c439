// What a caller sees when a request fails, whichever layer refuses it. Usage: node dist/faults.js http://127.0.0.1:8080 BARE_URL
// with the address of ../bare.mjs, which gives answers that a server cannot be made to give.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import createClient from 'openapi-fetch';
import type { paths, Problem } from './generated/parlor.js';
import { given, Refused } from './session.js';

const [baseUrl, bareUrl] = process.argv.slice(2);
assert(baseUrl && bareUrl, 'usage: node dist/faults.js http://127.0.0.1:8080 BARE_URL');
const anonymous = createClient<paths>({ baseUrl });
const username = `ada-${randomBytes(4).toString('hex')}`;

/** Why a call was refused. */
async function refusal(call: Promise<{ data?: unknown; error?: Problem; response: Response }>): Promise<Refused> {
  try {
    given(await call);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}

const registration = { username, password: 'password1234' };
const common = await refusal(anonymous.POST('/v1/users', { body: registration }));
assert.deepEqual([common.status, common.problem?.code], [422, 'password_too_common']);
assert.equal(common.problem?.errors?.[0]?.pointer, '/password');
console.log(`a rule: ${common.message}`);

const wrong = { username, password: 'not the right one' };
let tried = await anonymous.POST('/v1/login', { body: wrong });
for (; tried.error?.code === 'wrong_credentials'; tried = await anonymous.POST('/v1/login', { body: wrong }));
assert.deepEqual([tried.response.status, tried.error?.code], [429, 'too_many_requests']);
const seconds = Number(tried.response.headers.get('Retry-After'));
assert(seconds > 0);
console.log(`a limit: ${tried.error?.title}, for ${seconds} s`);

const user = (name: string, api = anonymous) =>
  api.GET('/v1/users/{username}', { params: { path: { username: name } } });
const long = await refusal(user('a'.repeat(9_000)));
assert.deepEqual([long.status, long.problem?.code], [414, 'uri_too_long']);
console.log(`a long address: ${long.message}`);

const longer = await refusal(user('a'.repeat(20_000)));
assert.deepEqual([longer.status, longer.problem], [431, undefined]);
console.log(`one that is not even read: ${longer.message}`);

const elsewhere = await refusal(user(username, createClient<paths>({ baseUrl: `${baseUrl}/elsewhere` })));
assert.deepEqual([elsewhere.status, elsewhere.problem?.code], [404, 'not_found']);
console.log(`the wrong address: ${elsewhere.message}`);

const bare = createClient<paths>({ baseUrl: bareUrl });
for (const status of [400, 414, 431]) {
  const empty = await refusal(user(String(status), bare));
  assert.deepEqual([empty.status, empty.problem], [status, undefined]);
}
const broken = await refusal(user('500', bare));
assert.deepEqual([broken.status, broken.problem?.code], [500, 'internal']);
console.log(`an empty answer is its status; a server that broke: ${broken.message}`);
