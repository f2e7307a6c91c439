// Two people in a room: everything that a client of Parlor needs, once. Usage: node dist/example.js http://127.0.0.1:8080
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import createClient from 'openapi-fetch';
import type { paths, Message, StreamEvent } from './generated/parlor.js';
import { follow } from './follow.js';
import { given, Refused, Session } from './session.js';

const baseUrl = process.argv[2];
assert(baseUrl, 'usage: node dist/example.js http://127.0.0.1:8080');
const password = 'correct horse battery staple';
const unique = randomBytes(4).toString('hex');

const anonymous = createClient<paths>({ baseUrl });
const server = given(await anonymous.GET('/v1/server'));
console.log(`${server.name} ${server.version}, registration: ${server.registration}`);
for (const username of [`ada-${unique}`, `grace-${unique}`]) {
  const user = given(await anonymous.POST('/v1/users', { body: { username, password } }));
  assert.equal(user.display_name, username);
  console.log(`registered ${user.username} at ${user.created_at}`);
}
const ada = await Session.signIn(baseUrl, `ada-${unique}`, password);
const grace = await Session.signIn(baseUrl, `grace-${unique}`, password);
console.log('both are signed in');

const name = `parlor-${unique}`;
const room = given(await ada.api.POST('/v1/rooms', { body: { name, title: 'An example' } }));
const joined = await grace.api.POST('/v1/rooms/{room}/join', { params: { path: { room: name } } });
assert.equal(given(joined).user.username, `grace-${unique}`);
console.log(`grace joined ${room.name}`);

const inRoom = { path: { room: room.id } };
const greeting = { params: inRoom, body: { body: 'Good morning!', client_id: unique } };
const first = await ada.api.POST('/v1/rooms/{room}/messages', greeting);
const second = await ada.api.POST('/v1/rooms/{room}/messages', greeting);
assert.deepEqual([first.response.status, second.response.status], [201, 200]);
assert.equal(given(first).id, given(second).id);
console.log('posted once, though it was sent twice');

const post = async (body: string) =>
  given(await grace.api.POST('/v1/rooms/{room}/messages', { params: inRoom, body: { body } }));
for (const body of ['two', 'three', 'four', 'five']) await post(body);
const history: Message[] = [];
const read = async (query: { limit: number; before?: string }) =>
  given(await ada.api.GET('/v1/rooms/{room}/messages', { params: { ...inRoom, query } }));
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

const { error, response } = await ada.api.GET('/v1/rooms/{room}', { params: { path: { room: `no-${unique}` } } });
assert.equal(response.status, 404);
assert.equal(error?.status, 404);
console.log(`met the problem ${error.code}: ${error.title}`);

/** The next message that somebody posts; everything else that happens is passed over. */
async function nextMessage(events: AsyncGenerator<StreamEvent, void>): Promise<[Message, string]> {
  for (;;) {
    const { value: event } = await events.next();
    assert(event, 'the stream is over');
    if (event.type === 'message.posted') return [event.message!, event.cursor!];
    if (event.type === 'reset') console.log(`told to begin anew: ${event.reason}`);
  }
}

const live = follow(ada.api, room.id, cursor);
const six = await post('six');
const [since] = await nextMessage(live);
assert.equal(since.id, six.id, 'what was posted since the page is there, and the stream is open');
await post('live');
const [heard, seen] = await nextMessage(live);
assert.equal(heard.body, 'live');
console.log(`heard "${heard.body}" as it was posted`);

await live.return();
const missed = [await post('seven'), await post('eight'), await post('nine')];
const resumed = follow(ada.api, room.id, seen);
for (const message of missed) {
  const [{ id, seq }] = await nextMessage(resumed);
  assert.deepEqual([id, seq], [message.id, message.seq]);
}
await post('ten');
assert.equal((await nextMessage(resumed))[0].body, 'ten', 'there is nothing after the three that were missed');
await resumed.return();
console.log('away for three messages, and got exactly these');

const before = ada.renewals;
while (ada.renewals === before) {
  given(await ada.api.GET('/v1/users/me'));
  await sleep(200);
}
console.log('the access token expired and was renewed');

given(await ada.api.POST('/v1/logout', { body: {} }));
const over = await ada.api.GET('/v1/users/me').catch((refused: unknown) => refused);
assert(over instanceof Refused && over.status === 401);
const lost = await follow(ada.api, room.id).next().catch((error: unknown) => error);
assert(lost instanceof Refused && lost.status === 401);
console.log('signed out: the token is refused');
