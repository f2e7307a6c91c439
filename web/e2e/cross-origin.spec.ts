// Pages of other origins in a real browser: the listed one uses the API by the generated client and follows a stream; the
// same page on an origin that is not listed gets nothing.
import { type Browser, type Page } from '@playwright/test';
import { Site } from './elsewhere/site.ts';
import { expect, test } from './fixtures.ts';
import { password, Person, unique, type ApiRoom } from './person.ts';
import { Server } from './server.ts';

let listed: Site;
let foreign: Site;
let own: Server;

test.beforeAll(async () => {
  [listed, foreign] = await Promise.all([Site.open(), Site.open()]);
  own = await Server.start({
    PARLOR_CORS__ORIGINS: listed.origin,
    PARLOR_LIMITS__ENABLED: 'true',
    PARLOR_LIMITS__LOGIN_PER_ACCOUNT: '2, 1/h',
  });
});

test.afterAll(async () => {
  await own.remove();
  await listed.close();
  await foreign.close();
});

/** A page whose requests may be blocked. The browser reports each block on the console, so that is not a fault here. */
const unwatched = async (browser: Browser) => (await browser.newContext()).newPage();

/** Opens the site's page and tells it where the server is. */
async function visit(page: Page, site: Site): Promise<void> {
  await page.goto(site.origin);
  await page.waitForFunction(() => 'elsewhere' in window);
  await page.evaluate((url) => window.elsewhere.use(url), own.url);
}

const signIn = (page: Page, username: string, secret = password) =>
  page.evaluate(
    async ([url, username, password]) => {
      const { data, error, response } = await window.elsewhere.api.login({
        body: { username: username!, password: password! },
      });
      if (data) window.elsewhere.use(url!, data.access_token);
      const header = (name: string) => response?.headers.get(name) ?? null;
      return {
        status: response?.status,
        code: error?.code,
        requestId: header('x-request-id'),
        retryAfter: header('retry-after'),
        authenticate: header('www-authenticate'),
      };
    },
    [own.url, username, secret],
  );

const follow = (page: Page, room: ApiRoom) =>
  page.evaluate((room) => void window.elsewhere.follow(room), room.id);
const heard = (page: Page) => page.evaluate(() => window.elsewhere.heard);

test('a listed origin signs in, posts, and follows a stream through a killed server', async ({
  page,
}) => {
  const bob = await Person.register(own.url, 'bob');
  const room = await bob.createRoom('tea');
  await visit(page, listed);
  const ada = unique('ada');
  const registered = await page.evaluate(
    async ([username, password]) => {
      const { api } = window.elsewhere;
      return (await api.registerUser({ body: { username: username!, password: password! } })).data;
    },
    [ada, password],
  );
  expect(registered?.username).toBe(ada);
  expect(await signIn(page, ada)).toMatchObject({ status: 200 });
  const posted = await page.evaluate(async (room) => {
    const { api } = window.elsewhere;
    await api.joinRoom({ path: { room } });
    const { data } = await api.postMessage({ path: { room }, body: { body: 'from elsewhere' } });
    const renamed = await api.updateMe({ body: { display_name: 'Ada' } });
    return [data?.body, renamed.data?.display_name];
  }, room.id);
  expect(posted).toEqual(['from elsewhere', 'Ada']);

  await follow(page, room);
  await expect.poll(() => own.answered('streamRoomEvents')).toBe(1);
  await bob.post(room, 'one');
  await expect.poll(() => heard(page)).toEqual(['one']);
  await own.kill();
  await expect.poll(() => page.evaluate(() => window.elsewhere.broken.length)).toBeGreaterThan(0);
  await own.restart();
  await bob.post(room, 'two');
  // It reconnects with Last-Event-ID, for which the browser sends a preflight first.
  await expect.poll(() => heard(page), { timeout: 40_000 }).toEqual(['one', 'two']);
});

test('a listed origin reads what was wrong, and when to try again', async ({ page }) => {
  const eve = await Person.register(own.url, 'eve');
  await visit(page, listed);
  const refused = await signIn(page, eve.username, 'wrong, but long enough');
  expect(refused).toMatchObject({ status: 401, code: 'wrong_credentials', authenticate: 'Bearer' });
  expect(refused.requestId).toHaveLength(36);
  const limited = await signIn(page, eve.username);
  expect(limited).toMatchObject({ status: 429, code: 'too_many_requests' });
  expect(Number(limited.retryAfter)).toBeGreaterThan(1_000);
  const missing = await page.evaluate(async (url) => {
    const response = await fetch(`${url}/v1/no/such/path`, { method: 'DELETE' });
    return [response.status, ((await response.json()) as { code: string }).code];
  }, own.url);
  expect(missing).toEqual([404, 'not_found']);
});

test('cookies are not for a listed origin', async ({ browser }) => {
  const page = await unwatched(browser);
  const ada = await Person.register(own.url, 'ada');
  await page.goto(own.url);
  await page.getByLabel('Username').fill(ada.username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByLabel('Username')).toHaveCount(0);
  expect(await page.evaluate(async () => (await fetch('/v1/users/me')).status)).toBe(200);
  await visit(page, listed);
  const outcome = await page.evaluate(async (url) => {
    const me = `${url}/v1/users/me`;
    const plain = (await fetch(me)).status;
    return [plain, await fetch(me, { credentials: 'include' }).catch(() => 'kept from the page')];
  }, own.url);
  expect(outcome).toEqual([401, 'kept from the page']);
  // The browser added the cookie to the second request: another port on the same host is still the same site.
  await expect.poll(() => own.answered('getMe', 403)).toBe(1);
});

test('a foreign origin is refused, by the preflight and by the answer', async ({ browser }) => {
  const page = await unwatched(browser);
  const bob = await Person.register(own.url, 'bob');
  await visit(page, listed);
  expect(await signIn(page, bob.username)).toMatchObject({ status: 200 });
  await visit(page, foreign);
  const before = own.answered('getServer');
  const outcome = await page.evaluate(async () => {
    const { api } = window.elsewhere;
    const read = await api.getServer();
    const asked = await api.login({ body: { username: 'bob', password: 'x' } });
    return [read, asked].map(({ data, error, response }) => [data, String(error), response]);
  });
  for (const [data, error, response] of outcome) {
    expect([data, response]).toEqual([undefined, undefined]);
    expect(error).toContain('Failed to fetch');
  }
  // A request that needs no preflight is answered, but the browser hides the answer from the page.
  await expect.poll(() => own.answered('getServer')).toBe(before + 1);
});
