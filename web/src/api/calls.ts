// Owns every request to the server but the event stream: sends it by the generated client, renews the session once
// when it is refused, and turns failures into Problem. Must not hold state of the conversation.
import { client } from './generated/client.gen';
import * as api from './generated/sdk.gen';
import { Problem } from './problem';
import { Renewal } from './renewal';
import type { Role, Visibility } from './types';

/** After this long without an answer a call counts as unanswered; the server's own deadline is 30 s. */
const answerWithin = 35_000;

const renewedAt = 'parlor-renewed';
const renewing = 'parlor-refresh';

/** What another tab stored becomes visible here shortly after the lock is free. A tab that failed stores nothing. */
const wordWithin = 500;

/** Waits until the tab that held the lock before reports its renewal, at most as long as a report may take. */
function word(before: string | null): Promise<void> {
  if (localStorage.getItem(renewedAt) !== before) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('storage', listen);
      resolve();
    };
    const listen = (event: StorageEvent) => {
      if (event.key === renewedAt) done();
    };
    const timer = setTimeout(done, wordWithin);
    addEventListener('storage', listen);
  });
}

export const renewal = new Renewal({
  async refresh() {
    const response = await send(
      new Request('/v1/refresh', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{}',
      }),
    );
    if (response.status === 401) return 'over';
    if (!response.ok) throw await refused(response);
    return ((await response.json()) as { expires_in: number }).expires_in;
  },
  async alone<T>(work: () => Promise<T>) {
    if (!('locks' in navigator)) return work();
    const before = localStorage.getItem(renewedAt);
    const first = await navigator.locks.request(renewing, { ifAvailable: true }, async (lock) =>
      lock ? { result: await work() } : null,
    );
    if (first) return first.result;
    return (await navigator.locks.request(renewing, async () => {
      await word(before);
      return work();
    })) as T;
  },
  load() {
    const text = localStorage.getItem(renewedAt);
    return text ? (JSON.parse(text) as { at: number; lives: number }) : null;
  },
  save(renewed) {
    if (renewed) localStorage.setItem(renewedAt, JSON.stringify(renewed));
    else localStorage.removeItem(renewedAt);
  },
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
});

let over = () => {};

/** Runs `listener` when a call was refused and the session could not be renewed. */
export function onSessionOver(listener: () => void): void {
  over = listener;
}

// These operations answer 401 for other reasons than an expired token, so a renewal does not help.
const unrenewed = /\/v1\/(login|logout|refresh)$/;

client.setConfig({
  baseUrl: '',
  credentials: 'same-origin',
  fetch: async (input) => {
    const request = input as Request;
    const spare = request.clone();
    const since = Date.now();
    const response = await send(request);
    if (response.status !== 401 || unrenewed.test(new URL(request.url).pathname)) return response;
    if ((await renewal.renew(since)) === 'renewed') {
      const again = await send(spare);
      if (again.status !== 401) return again;
    }
    over();
    return response;
  },
});

async function send(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(answerWithin) });
  } catch {
    throw Problem.noAnswer();
  }
}

async function refused(response: Response): Promise<Problem> {
  return Problem.from(await response.json().catch(() => null), response);
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response?: Response;
}

async function need<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (response?.ok) return data as T;
  if (error instanceof Problem || !response) {
    throw error instanceof Problem ? error : Problem.noAnswer();
  }
  throw Problem.from(error, response);
}

export interface RoomDraft {
  name: string;
  title?: string;
  topic?: string;
  visibility: Visibility;
  client_id: string;
}

/** An absent field stays unchanged; an empty title or topic is removed. */
export interface RoomChanges {
  name?: string;
  title?: string;
  topic?: string;
  visibility?: Visibility;
}

export interface PageAt {
  before?: string;
  after?: string;
  around?: string;
}

/** Messages asked for at once; the server allows up to 200. */
const pageSize = 50;

export const calls = {
  server: () => need(api.getServer()),

  register: (username: string, password: string) =>
    need(api.registerUser({ body: { username, password } })),
  async signIn(username: string, password: string) {
    const signIn = await need(api.login({ body: { username, password, transport: 'cookie' } }));
    renewal.started(signIn.expires_in);
    return signIn;
  },
  async signOut() {
    await need(api.logout({ body: {} }));
    renewal.ended();
  },
  me: () => need(api.getMe()),
  rename: (display_name: string) => need(api.updateMe({ body: { display_name } })),
  changePassword: (current_password: string, new_password: string) =>
    need(api.changePassword({ body: { current_password, new_password } })),
  sessions: () => need(api.listSessions()),
  endSession: (session: string) => need(api.endSession({ path: { session } })),

  myRooms: () => need(api.listMyRooms()),
  directory: (q: string, page?: string) =>
    need(api.listRooms({ query: { ...(q && { q }), ...(page && { page }), limit: 30 } })),
  createRoom: (draft: RoomDraft) => need(api.createRoom({ body: draft })),
  room: (room: string) => need(api.getRoom({ path: { room } })),
  updateRoom: (room: string, changes: RoomChanges) =>
    need(api.updateRoom({ path: { room }, body: changes })),
  deleteRoom: (room: string) => need(api.deleteRoom({ path: { room } })),
  join: (room: string) => need(api.joinRoom({ path: { room } })),
  leave: (room: string) => need(api.leaveRoom({ path: { room } })),
  members: (room: string, page?: string) =>
    need(api.listMembers({ path: { room }, query: { limit: 100, ...(page && { page }) } })),
  addMember: (room: string, username: string) =>
    need(api.putMember({ path: { room, username }, body: {} })),
  setRole: (room: string, username: string, role: Role) =>
    need(api.putMember({ path: { room, username }, body: { role } })),

  messages: (room: string, at: PageAt = {}) =>
    need(api.listMessages({ path: { room }, query: { ...at, limit: pageSize } })),
  post: (room: string, body: string, client_id: string) =>
    need(api.postMessage({ path: { room }, body: { body, client_id } })),
};

export type Calls = typeof calls;
