// Owns the start: wires the browser's parts to the app and puts it on the page. Nothing else may reach for them.
import { mount } from 'svelte';
import { calls, onRefusedHere, onSessionOver, renewal } from './api/calls';
import Root from './Root.svelte';
import { keepFocus } from './platform/focus';
import { after, channel, newId, soon, ticks } from './platform/browser';
import { sharedStream } from './platform/live';
import { alone } from './platform/locks';
import { draftStore, forget, readMarks, renewalMark, unsentStore } from './platform/storage';
import { loadDirectory, loadRoomPage, loadSignIn } from './pages/parts';
import { App, type SessionWord } from './state/app.svelte';
import { language } from './state/language.svelte';
import { Route } from './state/route.svelte';
import { server } from './state/server.svelte';
import { zone } from './text/zone.svelte';
import './styles/tokens.css';
import './styles/base.css';

const session = channel('parlor-session');
/** Whether somebody was signed in here before, by what the browser has kept. */
const wasSignedIn = () => renewalMark.load() !== null;

const app = new App({
  calls,
  chat: (user) => ({
    calls,
    marks: readMarks(user),
    drafts: draftStore(user),
    unsent: unsentStore(user),
    alone: (room, work) => alone(`parlor-outbox:${user}:${room}`, work),
    newId,
    now: () => new Date(),
    ticks,
    random: Math.random,
    after,
    soon,
  }),
  stream: sharedStream,
  tell: (word) => session?.postMessage(word),
  forget,
  home: () => route.replace('/'),
  renewal,
  wasSignedIn,
  after,
});

const route = new Route({
  path: () => location.pathname,
  push: (path) => history.pushState(null, '', path),
  replace: (path) => history.replaceState(null, '', path),
});

onSessionOver(() => app.over());
onRefusedHere((problem) => app.bar(problem));
if (session) session.onmessage = (event: MessageEvent<SessionWord>) => app.heard(event.data);
addEventListener('popstate', () => route.read());
addEventListener('online', () => app.nudge());
addEventListener('offline', () => app.offline());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  zone.look();
  app.nudge();
});
addEventListener('focus', () => zone.look());
zone.follow();
// A page restored from the back-forward cache has missed events, so it loads again.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

keepFocus();
const target = document.getElementById('app')!;
// The words load while the server is asked who is signed in, so they cost no round trip of their own.
const words = language.load();
// So does what the first page will show, as far as that can be guessed before the server has answered.
const first = !wasSignedIn()
  ? loadSignIn
  : route.page.name === 'room'
    ? loadRoomPage
    : loadDirectory;
first().catch(() => {});
void server.learn(calls.server, after);
void app.start();
words.then(
  () => mount(Root, { target, props: { app, route, calls } }),
  // There are no words to say it in the reader's language, so it is said in all of them.
  () => (target.textContent = 'Please load this page again. 请重新加载页面。'),
);
