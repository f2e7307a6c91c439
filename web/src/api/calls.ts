// Owns every request to the server but the event stream: sends it by the generated functions, renews the session once
// when it is refused, and turns failures into Problem. Must not hold state of the conversation.
import * as api from './generated/sdk.gen';
import { after, newId } from '../platform/browser';
import { alone } from '../platform/locks';
import { renewalMark } from '../platform/storage';
import { sendBy, type Answer } from './client';
import { Problem } from './problem';
import { Renewal, type Since } from './renewal';
import type { Role, Visibility } from './types';

/** After this long (ms) without an answer a call counts as unanswered. The server may need 30 s under the greatest load. */
const answerWithin = 35_000;
/** Reads and posts wait less: repeating a read is harmless, and a post that is repeated is still one message. */
const readWithin = 15_000;
const postedWithin = 10_000;

const renewing = 'parlor-refresh';

/** What another tab stored becomes visible here shortly after the lock is free. A tab that failed stores nothing. */
const wordWithin = 500;

/** Waits until the tab that held the lock before reports its renewal, at most as long as a report may take. */
function word(before: Since): Promise<void> {
  if (renewal.mark !== before) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      unwatch();
      resolve();
    };
    const timer = setTimeout(done, wordWithin);
    const unwatch = renewalMark.watch(done);
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
  alone(work) {
    const before = renewal.mark;
    return alone(renewing, async (waited) => {
      if (waited) await word(before);
      return work();
    });
  },
  load: renewalMark.load,
  save: renewalMark.save,
  newId,
  now: () => Date.now(),
  after,
});

let over = () => {};

/** Runs `listener` when a call was refused and the session could not be renewed. */
export function onSessionOver(listener: () => void): void {
  over = listener;
}

let refusedHere = (_problem: Problem) => {};

/** Runs `listener` when the server takes no requests from pages at this address. */
export function onRefusedHere(listener: (problem: Problem) => void): void {
  refusedHere = listener;
}

// These operations answer 401 for other reasons than an expired token, so a renewal does not help.
const unrenewed = /\/v1\/(login|logout|refresh)$/;

sendBy((request) =>
  unrenewed.test(new URL(request.url).pathname)
    ? send(request)
    : renewal.send(
        () => send(request.clone()),
        () => over(),
      ),
);

async function send(request: Request): Promise<Response> {
  try {
    const within = request.method === 'GET' ? readWithin : answerWithin;
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(within)]);
    return await fetch(request, { signal });
  } catch {
    throw Problem.noAnswer();
  }
}

async function refused(response: Response): Promise<Problem> {
  return Problem.from(await response.json().catch(() => null), response);
}

async function need<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call.catch((failure: unknown) => {
    throw failure instanceof Problem ? failure : Problem.noAnswer();
  });
  if (response.ok) return data as T;
  const problem = Problem.from(error, response);
  if (problem.here) refusedHere(problem);
  throw problem;
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
  limit?: number;
}

/** Messages asked for at once; the server allows up to 200. */
const pageSize = 50;

export const calls = {
  server: () => need(api.getServer()),

  /** Without a display name, the username is shown. */
  register: (username: string, password: string, display_name: string) =>
    need(api.registerUser({ body: { username, password, ...(display_name && { display_name }) } })),
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
    need(api.listMessages({ path: { room }, query: { limit: pageSize, ...at } })),
  /** Posting again under the same `client_id` gives the message that is there already. */
  post: (room: string, body: string, client_id: string, signal: AbortSignal) =>
    need(
      api.postMessage({
        path: { room },
        body: { body, client_id },
        signal: AbortSignal.any([signal, AbortSignal.timeout(postedWithin)]),
      }),
    ),
};

export type Calls = typeof calls;
