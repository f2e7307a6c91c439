// The example page at /docs/example: two people talk in it, through a killed server, an old token and a lost membership.
import AxeBuilder from '@axe-core/playwright';
import { type Page, type Route } from '@playwright/test';
import { expect, test, watch } from './fixtures.ts';
import { password, Person, unique } from './person.ts';
import { Server } from './server.ts';

const lines = (page: Page) => page.getByRole('log').locator('p');
const bodies = (page: Page) => lines(page).locator('span').allInnerTexts();
const state = (page: Page) => page.getByRole('status');
// While it is empty it is hidden and has no role.
const problem = (page: Page) => page.locator('#problem');

async function enter(page: Page, url: string, username: string, button: 'Sign in' | 'Register') {
  await page.goto(`${url}/docs/example`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: button }).click();
}

async function join(page: Page, room: string) {
  await page.getByLabel('Room').fill(room);
  await page.keyboard.press('Enter');
  await expect(state(page)).toHaveText('Connected.');
}

async function say(page: Page, text: string) {
  await page.getByLabel('Message').fill(text);
  await page.keyboard.press('Enter');
}

test('is offered beside Swagger UI, and runs under a policy that names its own script and style', async ({
  page,
}) => {
  await page.goto('/docs');
  const answered = page.waitForResponse('**/docs/example');
  const asked = page.waitForResponse('**/v1/users/me');
  await page.getByRole('link', { name: 'Example page' }).click();
  const response = await answered;
  expect([response.status(), response.request().redirectedFrom()]).toEqual([200, null]);
  const policy = response.headers()['content-security-policy']!;
  expect(policy).toMatch(/script-src 'sha256-[^ ]+'; style-src 'sha256-[^ ]+';/);
  expect(policy).not.toContain('unsafe');
  // Without its script the page asks nobody to sign in; without its style it has the browser's plain look.
  expect((await asked).status()).toBe(401);
  await expect(page.getByLabel('Username')).toBeFocused();
  await expect(page.locator('main')).toHaveCSS('display', 'flex');
});

test('leaves who types alone when an answer comes late', async ({ page, server }) => {
  const held: Route[] = [];
  const hold = (route: Route) => void held.push(route);
  await page.route('**/v1/users/me', hold);
  const answer = async (last: string) => {
    const answered = page.waitForResponse(last);
    await expect.poll(() => held.length).toBe(1);
    await held.shift()!.continue();
    await (await answered).finished();
    await page.evaluate(() => new Promise(requestAnimationFrame));
  };
  const half = async (username: string) => {
    await page.goto(`${server.url}/docs/example`);
    await page.getByLabel('Username').pressSequentially(username);
    await page.keyboard.press('Tab');
    await page.keyboard.type('half a ');
  };
  const goesOn = async () => {
    await expect(page.getByLabel('Password')).toBeFocused();
    await page.keyboard.type('password');
    await expect(page.getByLabel('Password')).toHaveValue('half a password');
  };

  // Somebody new sees it after the page has tried a renewal.
  await half(unique('ada'));
  await answer('**/v1/refresh');
  await goesOn();

  // Somebody who is still signed in sees it too. If they do not type, the page opens the room by itself.
  await enter(page, server.url, unique('ada'), 'Register');
  await expect(page.getByLabel('Room')).toBeFocused();
  held.length = 0;
  await half(unique('bob'));
  await answer('**/v1/users/me');
  await goesOn();
  await page.reload();
  await page.getByLabel('Password').click();
  await answer('**/v1/users/me');
  await expect(page.getByLabel('Password')).toBeFocused();
  await page.reload();
  await answer('**/v1/users/me');
  await expect(page.getByLabel('Room')).toBeFocused();

  // Somebody who sends a second password before the first one was refused sees it too.
  await page.route('**/v1/login', hold);
  await half(unique('cora'));
  held.length = 0;
  await page.keyboard.press('Enter');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('half a ');
  await answer('**/v1/login');
  await expect(problem(page)).not.toBeEmpty();
  await goesOn();
});

test('says what is wrong in the words of the problem', async ({ page, person, server }) => {
  const ada = await person('ada');
  await page.goto('/docs/example');
  await page.getByLabel('Username').fill(ada.username);
  await page.getByLabel('Password').fill('wrong, but long enough');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(problem(page)).toHaveText(/username.*password/i);
  await enter(page, server.url, ada.username, 'Register');
  await expect(problem(page)).toHaveText('The username is taken');
  await enter(page, server.url, ada.username, 'Sign in');
  await expect(problem(page)).toBeEmpty();
  await page.getByLabel('Room').fill('No Such Name');
  await page.keyboard.press('Enter');
  await expect(problem(page)).toHaveText(/\/name .+/);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Username')).toBeFocused();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`on a small window it fits, and has no accessibility violation (${colorScheme})`, async ({
    page,
    server,
  }) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 640 });
    const check = async (shot: string) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations).toEqual([]);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      expect(overflow, shot).toBe(false);
    };
    await page.goto('/docs/example');
    await check('sign in');
    await enter(page, server.url, unique('ada'), 'Register');
    await join(page, unique('tea'));
    for (let count = 0; count < 30; count++)
      await say(page, `Line ${count} ${'long'.repeat(count)}`);
    await expect(lines(page)).toHaveCount(30);
    await check('the room');
    await expect(lines(page).last()).toBeInViewport();
    await expect(page.getByLabel('Message')).toBeInViewport({ ratio: 1 });
  });
}

test.describe('with a server of its own', () => {
  let own: Server;
  test.afterEach(() => own.remove());

  test('two windows talk by keyboard, and a killed server loses, doubles and reorders nothing', async ({
    page,
    browser,
  }) => {
    own = await Server.start();
    const other = await (await browser.newContext()).newPage();
    const faults = watch(other);
    const room = unique('tea');
    await enter(page, own.url, unique('ada'), 'Register');
    await join(page, room);
    await enter(other, own.url, unique('bob'), 'Register');
    await join(other, room);
    await say(page, '<b>Tea</b> is ready');
    await say(other, 'Coming');
    for (const window of [page, other]) {
      await expect(lines(window).locator('span')).toHaveText(['<b>Tea</b> is ready', 'Coming']);
    }

    await own.kill();
    await expect(state(page)).toHaveText('Reconnecting…');
    await say(page, 'Said into the void');
    await expect(problem(page)).toHaveText('The server does not answer.');
    await own.restart();
    await page.keyboard.press('Enter');
    await expect(problem(page)).toBeEmpty();
    await expect(page.getByLabel('Message')).toHaveValue('');
    for (const window of [page, other]) {
      await expect(state(window)).toHaveText('Connected.', { timeout: 40_000 });
    }
    await say(other, 'After');
    const all = ['<b>Tea</b> is ready', 'Coming', 'Said into the void', 'After'];
    for (const window of [page, other]) {
      await expect.poll(() => bodies(window), { timeout: 40_000 }).toEqual(all);
    }
    expect(faults).toEqual([]);
  });

  test('refused when it comes back, it renews once and resumes after what it saw', async ({
    page,
  }) => {
    own = await Server.start({ PARLOR_AUTH__ACCESS_TOKEN_SECONDS: '3' });
    const opened: string[] = [];
    let renewed = 0;
    page.on('request', (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname.endsWith('/events')) opened.push(search);
      if (pathname === '/v1/refresh') renewed++;
    });
    const bob = await Person.register(own.url, 'bob');
    const room = await bob.createRoom('tea');
    await enter(page, own.url, unique('ada'), 'Register');
    await join(page, room.name);
    // His token may be over by now, too.
    await bob.signIn();
    await bob.post(room, 'one');
    await expect(lines(page)).toHaveCount(1);
    await own.kill();
    await expect(state(page)).toHaveText('Reconnecting…');
    // The access token's cookie is deleted meanwhile, so that reconnecting is answered 401.
    await expect
      .poll(async () => (await page.context().cookies()).filter(({ name }) => /access/.test(name)))
      .toEqual([]);
    const before = renewed;
    await own.restart();
    await bob.signIn();
    await bob.post(room, 'two');
    await expect.poll(() => bodies(page), { timeout: 40_000 }).toEqual(['one', 'two']);
    expect(renewed).toBeGreaterThan(before);
    expect(new Set(opened).size).toBeGreaterThan(1);
    for (const search of opened) expect(search).toMatch(/^\?after=.{10}/);
    // While the page stays open, `bye` expired makes it renew.
    const so = renewed;
    await expect.poll(() => renewed, { timeout: 20_000 }).toBeGreaterThan(so + 1);
    await bob.signIn();
    await bob.post(room, 'three');
    await expect.poll(() => bodies(page)).toEqual(['one', 'two', 'three']);
  });

  test('closes its stream on leaving, and stops when the room is gone', async ({ page }) => {
    own = await Server.start({ PARLOR_METRICS__LISTEN: '127.0.0.1:0' });
    const figures = /metrics.*?(127\.0\.0\.1:\d+)/.exec(own.log())?.[1];
    const open = async () => {
      const text = await (await fetch(`http://${figures}/metrics`)).text();
      return Number(/^parlor_streams_open (\d+)/m.exec(text)![1]);
    };
    const bob = await Person.register(own.url, 'bob');
    const room = await bob.createRoom('tea');
    await enter(page, own.url, unique('ada'), 'Register');
    await join(page, room.name);
    await expect.poll(open).toBe(1);
    await page.getByRole('button', { name: 'Leave' }).click();
    await expect.poll(open).toBe(0);
    await expect(page.getByLabel('Room')).toBeFocused();
    await join(page, room.name);
    await expect.poll(open).toBe(1);
    await page.goto('about:blank');
    await expect.poll(open).toBe(0);
    await page.goBack();
    await expect(page.getByLabel('Username')).toBeHidden();
    if (await page.getByLabel('Room').isVisible()) await join(page, room.name);
    await expect.poll(open).toBe(1);

    await bob.call('DELETE', `/v1/rooms/${room.id}`);
    await expect(problem(page)).toHaveText('The stream has ended: deleted.');
    await expect.poll(open).toBe(0);
  });
});
