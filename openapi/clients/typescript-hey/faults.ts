// What a caller sees when a request fails, whichever layer refuses it. Usage: node dist/faults.js http://127.0.0.1:8080 BARE_URL
// with the address of ../bare.mjs, which gives answers that a server cannot be made to give.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as parlor from './generated/sdk.gen.js';
import { anonymousAt, Refused } from './session.js';

const [baseUrl, bareUrl] = process.argv.slice(2);
assert(baseUrl && bareUrl, 'usage: node dist/faults.js http://127.0.0.1:8080 BARE_URL');
const anonymous = { client: anonymousAt(baseUrl), throwOnError: true } as const;
const username = `ada-${randomBytes(4).toString('hex')}`;

/** Why a call was refused. */
async function refusal(call: Promise<unknown>): Promise<Refused> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('the call was not refused');
}

const common = await refusal(parlor.registerUser({ ...anonymous, body: { username, password: 'password1234' } }));
assert.deepEqual([common.status, common.problem?.code], [422, 'password_too_common']);
assert.equal(common.problem?.errors?.[0]?.pointer, '/password');
console.log(`a rule: ${common.message}`);

const signIn = () => refusal(parlor.login({ ...anonymous, body: { username, password: 'not the right one' } }));
let tried = await signIn();
while (tried.problem?.code === 'wrong_credentials') tried = await signIn();
assert.deepEqual([tried.status, tried.problem?.code], [429, 'too_many_requests']);
assert(tried.retryAfterMs > 0);
console.log(`a limit: ${tried.message}, for ${tried.retryAfterMs / 1000} s`);

const user = (name: string, client = anonymous.client) =>
  refusal(parlor.getUser({ client, path: { username: name }, throwOnError: true }));
const long = await user('a'.repeat(9_000));
assert.deepEqual([long.status, long.problem?.code], [414, 'uri_too_long']);
console.log(`a long address: ${long.message}`);

const longer = await user('a'.repeat(20_000));
assert.deepEqual([longer.status, longer.problem], [431, undefined]);
console.log(`one that is not even read: ${longer.message}`);

const elsewhere = await user(username, anonymousAt(`${baseUrl}/elsewhere`));
assert.deepEqual([elsewhere.status, elsewhere.problem?.code], [404, 'not_found']);
console.log(`the wrong address: ${elsewhere.message}`);

const bare = anonymousAt(bareUrl);
for (const status of [400, 414, 431]) {
  const empty = await user(String(status), bare);
  assert.deepEqual([empty.status, empty.problem], [status, undefined]);
}
const broken = await user('500', bare);
assert.deepEqual([broken.status, broken.problem?.code], [500, 'internal']);
console.log(`an empty answer is its status; a server that broke: ${broken.message}`);
