// Two people in a room: everything that a client of Parlor needs, once. Usage: node dist/example.js http://127.0.0.1:8080
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as parlor from './generated/sdk.gen.js';
import type { Message, StreamEvent } from './generated/types.gen.js';
import { follow } from './follow.js';
import { anonymousAt, Refused, Session } from './session.js';

const baseUrl = process.argv[2];
assert(baseUrl, 'usage: node dist/example.js http://127.0.0.1:8080');
const password = 'correct horse battery staple';
const unique = randomBytes(4).toString('hex');

const anonymous = { client: anonymousAt(baseUrl), throwOnError: true } as const;
const { data: server } = await parlor.getServer(anonymous);
console.log(`${server.name} ${server.version}, registration: ${server.registration}`);
for (const username of [`ada-${unique}`, `grace-${unique}`]) {
  const { data: user } = await parlor.registerUser({ ...anonymous, body: { username, password } });
  assert.equal(user.display_name, username);
  console.log(`registered ${user.username} at ${user.created_at.toLocaleTimeString()}`);
}
const session = await Session.signIn(baseUrl, `ada-${unique}`, password);
const ada = { client: session.client, throwOnError: true } as const;
const { client } = await Session.signIn(baseUrl, `grace-${unique}`, password);
const grace = { client, throwOnError: true } as const;
console.log('both are signed in');

const name = `parlor-${unique}`;
const { data: room } = await parlor.createRoom({ ...ada, body: { name, title: 'An example' } });
const { data: joined } = await parlor.joinRoom({ ...grace, path: { room: name } });
assert.equal(joined.user.username, `grace-${unique}`);
console.log(`grace joined ${room.name}`);

const path = { room: room.id };
const greeting = { ...ada, path, body: { body: 'Good morning!', client_id: unique } };
const first = await parlor.postMessage(greeting);
const second = await parlor.postMessage(greeting);
assert.deepEqual([first.response.status, second.response.status], [201, 200]);
assert.equal(first.data.id, second.data.id);
console.log('posted once, though it was sent twice');

const post = async (body: string) => (await parlor.postMessage({ ...grace, path, body: { body } })).data;
for (const body of ['two', 'three', 'four', 'five']) await post(body);
const history: Message[] = [];
const read = async (query: { limit: number; before?: string }) =>
  (await parlor.listMessages({ ...ada, path, query })).data;
let page = await read({ limit: 2 });
const { cursor } = page;
let pages = 1;
for (; page.prev_cursor !== undefined; pages += 1) {
  history.unshift(...page.items);
  page = await read({ limit: 2, before: page.prev_cursor });
}
history.unshift(...page.items);
assert.deepEqual(history.map((message) => message.body), ['Good morning!', 'two', 'three', 'four', 'five']);
console.log(`read ${history.length} messages in ${pages} pages`);

const refused = await parlor.getRoom({ ...ada, path: { room: `no-${unique}` } }).catch((error: unknown) => error);
assert(refused instanceof Refused && refused.problem);
assert.deepEqual([refused.status, refused.problem.status], [404, 404]);
console.log(`met the problem ${refused.problem.code}: ${refused.problem.title}`);

/** The next message that somebody posts; everything else that happens is passed over. */
async function nextMessage(events: AsyncGenerator<StreamEvent, void>): Promise<[Message, string]> {
  for (;;) {
    const { value: event } = await events.next();
    assert(event, 'the stream is over');
    if (event.type === 'message.posted') return [event.message!, event.cursor!];
    if (event.type === 'reset') console.log(`told to begin anew: ${event.reason}`);
  }
}

const live = follow(ada.client, room.id, cursor);
const six = await post('six');
const [since] = await nextMessage(live);
assert.equal(since.id, six.id, 'what was posted since the page is there, and the stream is open');
await post('live');
const [heard, seen] = await nextMessage(live);
assert.equal(heard.body, 'live');
console.log(`heard "${heard.body}" as it was posted`);

await live.return();
const missed = [await post('seven'), await post('eight'), await post('nine')];
const resumed = follow(ada.client, room.id, seen);
for (const message of missed) {
  const [{ id, seq }] = await nextMessage(resumed);
  assert.deepEqual([id, seq], [message.id, message.seq]);
}
await post('ten');
assert.equal((await nextMessage(resumed))[0].body, 'ten', 'there is nothing after the three that were missed');
await resumed.return();
console.log('away for three messages, and got exactly these');

const before = session.renewals;
while (session.renewals === before) {
  await parlor.getMe(ada);
  await sleep(200);
}
console.log('the access token expired and was renewed');

await parlor.logout({ ...ada, body: {} });
const over = await parlor.getMe(ada).catch((error: unknown) => error);
assert(over instanceof Refused && over.status === 401);
const lost = await follow(ada.client, room.id).next().catch((error: unknown) => error);
assert(lost instanceof Refused && lost.status === 401);
console.log('signed out: the token is refused');
