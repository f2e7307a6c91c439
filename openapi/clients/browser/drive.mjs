// Drives the page as two people would, each in a browser of their own, and ends with 0 only if it did what the document says.
// Must not know how the page works inside: it types, presses keys and looks. Uses the Playwright of ../../../web.
//
// `CHROMIUM=/usr/bin/chromium node drive.mjs http://127.0.0.1:8080`
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';

const { chromium, expect } = createRequire(new URL('../../../web/package.json', import.meta.url))('@playwright/test');
const target = new URL(process.argv[2]);
const executablePath = process.env.CHROMIUM || execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
const password = 'correct horse battery staple';
const unique = (stem) => `${stem}-${randomUUID().slice(0, 8)}`;

/** A way to the server that can be cut: browsers have no other means to lose a connection in mid-stream. */
async function wire() {
  const sockets = new Set();
  let isCut = false;
  const listener = createServer((socket) => {
    if (isCut) return socket.destroy();
    const other = connect(Number(target.port), target.hostname);
    for (const end of [socket, other]) {
      sockets.add(end);
      end.on('error', () => {}).on('close', () => {
        sockets.delete(end);
        socket.destroy();
        other.destroy();
      });
    }
    socket.pipe(other).pipe(socket);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => (isCut = false),
    close: () => new Promise((resolve) => listener.close(resolve)),
  };
}

const within = { timeout: 40_000 };
const state = (page) => page.getByRole('status');
const bodies = (page) => page.getByRole('log').locator('span').allInnerTexts();
const shows = (page, texts) => expect.poll(() => bodies(page), within).toEqual(texts);

async function signIn(page, url, username, button) {
  await page.goto(`${url}/docs/example`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: button }).click();
  await page.getByLabel('Room').waitFor();
}

async function join(page, room) {
  await page.getByLabel('Room').fill(room);
  await page.keyboard.press('Enter');
  await expect(state(page)).toHaveText('Connected.', within);
}

async function say(page, text) {
  await page.getByLabel('Message').fill(text);
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Message')).toHaveValue('', within);
}

const browser = await chromium.launch({ executablePath });
const faults = [];
const line = await wire();
try {
  const window = async () => {
    const page = await (await browser.newContext()).newPage();
    page.on('pageerror', (error) => faults.push(error));
    return page;
  };
  const [ada, bob] = [await window(), await window()];
  const [name, room] = [unique('ada'), unique('tea')];

  await signIn(ada, target.origin, name, 'Register');
  await ada.getByRole('button', { name: 'Sign out' }).click();
  await ada.getByLabel('Username').waitFor();
  await signIn(ada, target.origin, name, 'Sign in');
  console.log(`registered and signed in as ${name}`);

  const missing = ada.waitForResponse((answer) => answer.status() === 404);
  await join(ada, room);
  console.log(`asked for a room that was not there (${(await (await missing).json()).code}) and made ${room}`);

  await signIn(bob, line.url, unique('bob'), 'Register');
  await join(bob, room);
  console.log('a second person joined it by name');

  // The answer to the first attempt is lost on its way, so the page sends the same message again.
  let lost;
  await ada.route('**/messages', async (route) => {
    if (lost) return route.continue();
    // The browser itself adds what the server knows its own pages by, after this.
    const answer = await route.fetch({ headers: { ...route.request().headers(), 'sec-fetch-site': 'same-origin' } });
    if (!answer.ok()) return route.fulfill({ response: answer }); // such as 401: the page renews and tries again
    lost = { status: answer.status(), id: (await answer.json()).id };
    return route.abort();
  });
  await ada.getByLabel('Message').fill('one');
  await ada.keyboard.press('Enter');
  await expect(ada.getByRole('alert')).toHaveText('The server does not answer.', within);
  const repeated = ada.waitForResponse((answer) => answer.request().method() === 'POST' && answer.ok() && answer.url().endsWith('/messages'));
  await ada.keyboard.press('Enter');
  const kept = await repeated;
  assert.deepEqual([lost, kept.status()], [{ status: 201, id: (await kept.json()).id }, 200]);
  await ada.unroute('**/messages');
  await expect(ada.getByLabel('Message')).toHaveValue('', within);
  await shows(bob, ['one']);
  console.log('posted twice under one client_id: one message, seen live by the other');

  line.cut();
  await expect(state(bob)).toHaveText('Reconnecting…', within);
  const missed = ['two', 'three', 'four'];
  for (const text of missed) await say(ada, text);
  assert.deepEqual(await bodies(bob), ['one']);
  const resumed = bob.waitForRequest(/\/events\?after=/, within);
  line.mend();
  await resumed;
  await shows(bob, ['one', ...missed]);
  console.log('missed three posts while the connection was cut, and resumed with exactly those');

  await bob.waitForResponse((answer) => answer.ok() && answer.url().endsWith('/v1/refresh'), within);
  await say(ada, 'five');
  await shows(bob, ['one', ...missed, 'five']);
  console.log('renewed the access token when it had expired, and went on');

  await ada.getByRole('button', { name: 'Leave' }).click();
  const cookies = await ada.context().cookies();
  await ada.getByRole('button', { name: 'Sign out' }).click();
  await ada.getByLabel('Username').waitFor();
  assert.deepEqual(await ada.context().cookies(), []);
  await ada.context().addCookies(cookies);
  const refused = ada.waitForResponse('**/v1/refresh');
  await ada.reload();
  assert.equal((await refused).status(), 401);
  await (await refused).finished();
  assert(await ada.getByLabel('Room').isHidden());
  assert.deepEqual(faults, []);
  console.log('signed out: the old tokens are refused');
} catch (error) {
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    const shown = await page.locator('body').ariaSnapshot({ timeout: 5_000 }).catch(String);
    console.error(`what was on ${page.url()}:\n${shown}`);
  }
  throw error;
} finally {
  await browser.close();
  await line.close();
}
