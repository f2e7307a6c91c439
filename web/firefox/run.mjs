// Owns the run of the web client in the distribution's Firefox, over WebDriver BiDi: what differs between browsers, such as
// storage, locks, channels, streams and the end of a page. `make firefox` starts it, now and then; it is no part of `make test`.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const { PARLOR_BIN, FIREFOX } = process.env;
if (!FIREFOX) {
  console.error(
    'There is no Firefox (Debian: sudo apt-get install firefox-esr; another one: FIREFOX=/path).',
  );
  process.exit(1);
}
const password = 'correct horse battery';
const within = 20_000;
const folder = await mkdtemp(join(tmpdir(), 'parlor-firefox-'));
let server;
let url;

async function serve(listen) {
  const args = ['serve', '--data', join(folder, 'data'), '--listen', listen];
  server = spawn(PARLOR_BIN, args, {
    cwd: folder,
    env: { ...process.env, PARLOR_LIMITS__ENABLED: 'false' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    const address = /listening on (http:\/\/\S+)/.exec(line)?.[1];
    if (address) return (url = address);
  }
  throw new Error('the server did not start');
}

async function kill() {
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
}

async function call(method, path, token, body) {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}

const faults = [];
async function open(context, path = '/') {
  const page = await context.newPage();
  page.setDefaultTimeout(within);
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(url + path);
  return page;
}

async function signIn(context, username, path) {
  const page = await open(context, path);
  await page.locator('input[name=username]').fill(username);
  await page.locator('input[name=password]').fill(password);
  await page.locator('form button.main').click();
  await page.waitForSelector('textarea');
  return page;
}

async function say(page, text) {
  await page.locator('textarea').fill(text);
  await page.focus('textarea');
  await page.keyboard.press('Enter');
}

const has = (page, text, selector = 'body') =>
  page.waitForFunction(
    (text, selector) =>
      [...document.querySelectorAll(selector)].some((part) => part.innerText.includes(text)),
    {},
    text,
    selector,
  );
const hasNot = (page, selector) =>
  page.waitForFunction((selector) => !document.querySelector(selector), {}, selector);
const draft = (page, text) =>
  page.waitForFunction((text) => document.querySelector('textarea').value === text, {}, text);

async function step(name, work) {
  const since = Date.now();
  await work();
  console.log(`ok  ${name} (${Date.now() - since} ms)`);
}

await serve('127.0.0.1:0');
const browser = await puppeteer.launch({
  browser: 'firefox',
  executablePath: FIREFOX,
  headless: true,
});
let failed = false;
try {
  console.log(await browser.version());
  for (const username of ['ada', 'bob'])
    await call('POST', '/v1/users', '', { username, password });
  const tokenOf = async (username) =>
    (await call('POST', '/v1/login', '', { username, password })).access_token;
  const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
  const room = await call('POST', '/v1/rooms', ada, { name: 'kitchen' });
  await call('POST', `/v1/rooms/${room.id}/join`, bob, {});
  const path = `/room/${room.id}`;
  const hers = await browser.createBrowserContext();
  const his = await browser.createBrowserContext();
  const page = await signIn(hers, 'ada', path);
  const other = await open(hers, path);
  const guest = await signIn(his, 'bob', path);

  await step('two people exchange messages, with Markdown', async () => {
    await say(page, 'hello **there**');
    await has(guest, 'there', '.message strong');
    await say(guest, 'hello yourself');
    for (const tab of [page, other]) await has(tab, 'hello yourself', '.message');
  });
  await step('a draft is the same in both tabs, and gone from both when it is sent', async () => {
    await page.focus('textarea');
    await page.keyboard.type('half a thought');
    await draft(other, 'half a thought');
    await page.keyboard.press('Enter');
    for (const tab of [page, other]) await draft(tab, '');
    await has(other, 'half a thought', '.message');
  });
  await step('a room of 120 messages opens at its end and keeps following', async () => {
    // Behind another tab the room would be unread, and open at the line of what is new.
    await page.bringToFront();
    for (let count = 0; count < 120; count++) {
      await call('POST', `/v1/rooms/${room.id}/messages`, bob, { body: `line ${count}` });
    }
    await has(page, 'line 119', '.message');
    const atEnd = () => Math.abs(document.querySelector('[role=log]').scrollTop) < 2;
    await page.waitForFunction(atEnd);
    await page.reload();
    await has(page, 'line 119', '.message');
    await page.waitForFunction(atEnd);
  });
  await step('without a server messages wait, in both tabs, and outlive their tab', async () => {
    await page.bringToFront();
    await kill();
    await say(page, 'written while it was away');
    await has(page, 'Not sent yet', '.unsent');
    await has(page, '1 message waits for the connection.');
    await has(other, 'written while it was away', '.unsent');
    await page.close();
    await serve(new URL(url).host);
    await has(other, 'written while it was away', '.message');
    await hasNot(other, '.unsent');
    const { items } = await call('GET', `/v1/rooms/${room.id}/messages?limit=5`, ada);
    const sent = items.filter(({ body }) => body === 'written while it was away');
    if (sent.length !== 1) throw new Error(`sent ${sent.length} times`);
  });
  await step('the next tab takes over the stream', async () => {
    const last = await open(hers, path);
    await last.waitForSelector('textarea');
    await other.close();
    await call('POST', `/v1/rooms/${room.id}/messages`, bob, { body: 'after the owner left' });
    await has(last, 'after the owner left', '.message');
  });
  await step('a browser that stores nothing: it works, and says what is missing', async () => {
    const bare = await browser.createBrowserContext();
    const page = await bare.newPage();
    page.setDefaultTimeout(within);
    await page.evaluateOnNewDocument(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    });
    await page.goto(url + path);
    await page.locator('input[name=username]').fill('bob');
    await page.locator('input[name=password]').fill(password);
    await page.locator('form button.main').click();
    await page.waitForSelector('textarea');
    await has(page, 'does not let the page store anything');
    await say(page, 'works');
    await has(page, 'works', '.message');
    await page.reload();
    await has(page, 'works', '.message');
  });
  await step('a dropped file is told, not opened', async () => {
    const kept = await guest.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
      const event = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
      return !document.querySelector('main').dispatchEvent(event);
    });
    if (!kept) throw new Error('the browser would open it');
    await has(guest, 'Files cannot be sent yet.');
  });
  if (faults.length) throw new Error(`faults of pages: ${faults.join('; ')}`);
} catch (error) {
  failed = true;
  console.error(error);
} finally {
  await browser.close();
  await kill();
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
