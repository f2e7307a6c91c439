// Who is signed in: questions that overlap, people who follow one another, and what is left of those who went.
import { beforeEach, expect, test } from 'vitest';
import type { Calls } from '../api/calls';
import { Problem } from '../api/problem';
import type { User } from '../api/types';
import { App, type SessionWord } from './app.svelte';

const person = (id: string) => ({ id, username: id, display_name: id }) as User;

interface Asked {
  answer(id: string): void;
  fail(problem: Problem): void;
}

let app: App;
/** The questions who is signed in. */
let asked: Asked[];
let streams: { user: string; stopped: boolean }[];
/** Each conversation that was made, and whether it was ended. */
let chats: { user: string; stopped: boolean }[];
let timers: { ms: number; run: () => void }[];
let told: SessionWord[];
let forgotten: string[];

function appOf(calls: Partial<Calls> = {}): App {
  return new App({
    calls: {
      me: () =>
        new Promise((resolve, reject) =>
          asked.push({ answer: (id) => resolve(person(id)), fail: reject }),
        ),
      myRooms: async () => ({ items: [], cursor: 'c' }),
      signIn: async (id: string) => ({ user: person(id) }),
      register: async () => {},
      signOut: async () => {},
      ...calls,
    } as Calls,
    chat(user) {
      const chat = { user, stopped: false };
      chats.push(chat);
      return {
        calls: { myRooms: async () => ({ items: [], cursor: 'c' }) } as unknown as Calls,
        marks: { load: () => ({}), save() {} },
        drafts: { load: () => [], save() {}, watch: () => () => (chat.stopped = true) },
        unsent: { load: () => [], keep() {}, remove() {}, watch: () => () => {} },
        alone: async (_, work) => work(false),
        newId: () => 'id',
        now: () => new Date(0),
        ticks: () => 0,
        random: () => 0,
        after: () => () => {},
        soon: (run) => run(),
      };
    },
    stream(user) {
      const stream = { user, stopped: false };
      streams.push(stream);
      const stop = () => void (stream.stopped = true);
      return { start() {}, moved() {}, stop, nudge() {}, offline() {} };
    },
    tell: (word) => told.push(word),
    forget: (user) => forgotten.push(user),
    home() {},
    renewal: { schedule() {}, ended() {} },
    wasSignedIn: () => false,
    after(ms, run) {
      const timer = { ms, run };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
  });
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const live = () => [chats, streams].map((all) => all.filter(({ stopped }) => !stopped).length);

beforeEach(() => {
  asked = [];
  streams = [];
  chats = [];
  timers = [];
  told = [];
  forgotten = [];
  app = appOf();
});

test('two questions at once make one conversation', async () => {
  void app.start();
  asked[0]!.fail(Problem.noAnswer());
  await settled();
  expect(app.phase).toBe('unreachable');
  app.nudge();
  app.nudge();
  expect(asked).toHaveLength(3);
  asked[1]!.answer('ada');
  asked[2]!.answer('ada');
  await settled();
  expect(app.phase).toBe('in');
  expect(live()).toEqual([1, 1]);
  expect(timers).toEqual([]);
});

test('a late answer neither signs out who is in, nor asks again, nor signs in who was before', async () => {
  for (const late of [
    (question: Asked) => question.fail(new Problem(401, 'unauthorized', '')),
    (question: Asked) => question.fail(Problem.noAnswer()),
    (question: Asked) => question.answer('ada'),
  ]) {
    asked = [];
    void app.start();
    await app.signIn('bob', 'secret');
    late(asked[0]!);
    await settled();
    expect([app.phase, app.chat?.me.id, timers.length]).toEqual(['in', 'bob', 0]);
    expect(live()).toEqual([1, 1]);
  }
});

test('who signs out leaves no conversation behind, also when the page asked twice', async () => {
  void app.start();
  void app.start();
  for (const question of asked) question.answer('ada');
  await settled();
  app.heard({ kind: 'out' });
  expect([app.phase, ...live()]).toEqual(['out', 0, 0]);
  expect(forgotten).toEqual(['ada']);
  app.heard({ kind: 'in', user: 'bob' });
  asked.at(-1)!.answer('bob');
  await settled();
  expect(chats.filter(({ stopped }) => !stopped)).toEqual([{ user: 'bob', stopped: false }]);
});

test('a sign-up that was made but not answered ends in a sign-in, and no other taken name does', async () => {
  const taken = new Problem(409, 'username_taken', '');
  const wrong = new Problem(401, 'wrong_credentials', '');
  const cases: [string, (Problem | null)[], (Problem | null)[], Problem | null][] = [
    ['the answer to signing in is lost', [null, taken], [Problem.noAnswer(), null], null],
    ['the answer to registering is lost', [Problem.noAnswer(), taken], [null], null],
    ['somebody else has the name', [Problem.noAnswer(), taken], [wrong], taken],
    ['the name was taken before', [taken, taken], [], taken],
  ];
  for (const [name, registers, signIns, end] of cases) {
    const next = (answers: (Problem | null)[]) => {
      const answer = answers.shift();
      if (answer) throw answer;
      return { user: person('ada') } as never;
    };
    app = appOf({ register: async () => next(registers), signIn: async () => next(signIns) });
    const signUp = () =>
      app.signUp('ada', 'secret', 'Ada').then(
        () => null,
        (why: Problem) => why,
      );
    expect(await signUp(), name).not.toBeNull();
    expect(await signUp(), name).toBe(end);
    expect([app.phase === 'in', registers, signIns], name).toEqual([end === null, [], []]);
  }
});

test('a sign-out whose answer was lost leaves nothing behind once the session turns out to be over', async () => {
  const answers = [
    Problem.noAnswer(),
    new Problem(401, 'unauthorized', ''),
    new Problem(503, '', ''),
  ];
  const signOut = async () => {
    throw answers.shift();
  };
  for (const ends of [() => app.over(), () => app.signOut()]) {
    app = appOf({ signOut });
    answers.unshift(Problem.noAnswer());
    await app.signIn('ada', 'secret');
    await expect(app.signOut()).rejects.toThrow();
    expect([app.phase, forgotten.splice(0)]).toEqual(['in', []]);
    if (answers[0]!.status === 0) answers.shift();
    await ends();
    expect([app.phase, app.ended, forgotten.splice(0)]).toEqual(['out', false, ['ada']]);
    expect(told.at(-1)).toEqual({ kind: 'out' });
  }
  // Who stays signed in after an answer keeps everything.
  app = appOf({ signOut });
  await app.signIn('ada', 'secret');
  await expect(app.signOut()).rejects.toThrow();
  app.over();
  expect([app.ended, forgotten]).toEqual([true, []]);
});
