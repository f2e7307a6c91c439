// The live stream: tabs share it, it reconnects after a loss, and messages written meanwhile arrive.
import { type Page } from '@playwright/test';
import {
  box,
  expect,
  messages,
  otherPage,
  roomPath,
  say,
  signIn,
  test,
  texts,
} from './fixtures.ts';
import { Person } from './person.ts';
import { Server } from './server.ts';

const banner = (page: Page) => page.getByText('Connection lost.');

test('eight tabs share one stream, and the next tab takes over when its owner closes', async ({
  page,
  context,
  server,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('tabs');
  const owners: Page[] = [];
  context.on('request', (request) => {
    if (new URL(request.url()).pathname === '/v1/events') owners.push(request.frame().page());
  });
  const before = server.answered('streamEvents');
  const opened = () => server.answered('streamEvents') - before;
  await signIn(page, ada, roomPath(room));
  const tabs = [page];
  for (let count = 1; count < 8; count++) {
    const tab = await context.newPage();
    await tab.goto(ada.url + roomPath(room));
    tabs.push(tab);
  }
  for (const tab of tabs) await expect(box(tab)).toBeVisible();
  await ada.post(room, 'to all');
  for (const tab of tabs) await expect(messages(tab)).toHaveText([/to all/]);
  expect(opened()).toBe(1);
  expect(owners).toHaveLength(1);

  await owners[0]!.close();
  const left = tabs.filter((tab) => tab !== owners[0]);
  await ada.post(room, 'after the owner left');
  for (const tab of left)
    await expect(messages(tab)).toHaveText([/to all/, /after the owner left/]);
  expect(opened()).toBe(2);
});

test('a tab opened while the stream was away misses nothing when it takes over', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('heir');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  const third = await context.newPage();
  await third.goto(ada.url + roomPath(room));
  await expect(box(third)).toBeVisible();
  // The leader's stream is gone and cannot come back, and the other tabs have no way to know.
  await page.route('**/v1/events?*', (route) => route.abort());
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  await ada.post(room, 'said into the gap');
  const heir = await context.newPage();
  await heir.goto(ada.url + roomPath(room));
  await expect(messages(heir)).toHaveText([/said into the gap/]);
  await page.close();
  await expect(messages(third)).toHaveText([/said into the gap/]);
  await ada.post(room, 'and on it goes');
  for (const tab of [third, heir]) {
    await expect(messages(tab)).toHaveText([/said into the gap/, /and on it goes/]);
  }
});

test.describe('with a server of its own', () => {
  let own: Server;
  test.beforeEach(async () => {
    own = await Server.start();
  });
  test.afterEach(() => own.remove());

  test('killed and started again in mid-talk: a banner after five seconds, no gap, no double', async ({
    page,
    browser,
  }) => {
    const ada = await Person.register(own.url, 'ada');
    const bob = await Person.register(own.url, 'bob');
    const room = await ada.createRoom('talk');
    await bob.join(room);
    await signIn(page, ada, roomPath(room));
    const other = await otherPage(browser, bob, roomPath(room));
    await say(page, 'before');
    await expect(messages(other)).toHaveCount(1);

    const killed = Date.now();
    await own.kill();
    await expect(page.getByRole('main')).toBeVisible();
    await expect(banner(page)).toBeVisible();
    expect(Date.now() - killed).toBeGreaterThan(4_500);
    await say(page, 'written while it was away');
    await expect(page.getByText('Not sent yet')).toBeVisible();

    await own.restart();
    await bob.post(room, 'said before anybody was back');
    await expect(banner(page)).toHaveCount(0, { timeout: 40_000 });
    await expect(page.getByText('Not sent yet')).toHaveCount(0);
    await say(other, 'after');
    await expect(messages(page)).toHaveCount(4, { timeout: 40_000 });
    await expect(messages(other)).toHaveCount(4, { timeout: 40_000 });
    const log = await ada.bodies(room);
    expect([...log].sort()).toEqual(
      ['after', 'before', 'said before anybody was back', 'written while it was away'].sort(),
    );
    expect(await texts(page)).toEqual(log);
    expect(await texts(other)).toEqual(log);

    // The same again, but without a later message that would show the gap: the stream itself must fill it.
    await own.kill();
    await own.restart();
    await bob.post(room, 'said into the second gap');
    for (const reader of [page, other]) {
      await expect(messages(reader).last()).toContainText('second gap', { timeout: 40_000 });
    }
    expect(await texts(page)).toEqual([...log, 'said into the second gap']);
    expect(await texts(other)).toEqual([...log, 'said into the second gap']);
  });
});

test('a message written offline waits, says so, and goes out once', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('offline');
  await signIn(page, ada, roomPath(room));
  await say(page, 'online');
  await expect(messages(page)).toHaveCount(1);
  await context.setOffline(true);
  await say(page, 'first');
  await say(page, 'second');
  await expect(page.getByText('Not sent yet')).toHaveCount(2);
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.getByText('Not sent yet')).toHaveCount(2);
  await context.setOffline(false);
  await expect(messages(page)).toHaveText([/online/, /first/, /second/]);
  await expect(page.locator('.unsent')).toHaveCount(0);
  expect(await ada.bodies(room)).toEqual(['online', 'first', 'second']);
});

test('a message whose answer was lost is retried under the same id, and is there once', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('lost');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  // The server gets the message, but neither its answer nor the stream reaches the browser.
  const sent: string[] = [];
  await page.route('**/v1/events?*', (route) => route.abort());
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  await page.route('**/messages', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    sent.push(route.request().postDataJSON().client_id);
    if (sent.length > 1) return route.continue();
    await route.fetch();
    await route.abort();
  });
  await say(page, 'once only');
  await expect(page.getByText('Not sent yet')).toBeVisible();
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.getByText('Not sent yet')).toHaveCount(0);
  await page.unroute('**/v1/events?*');
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await expect(messages(page)).toHaveText([/once only/]);
  await expect(page.locator('.unsent')).toHaveCount(0);
  expect(sent[0]).toBe(sent[1]);
  expect(await ada.bodies(room)).toEqual(['once only']);
});

test('a refused message keeps its text, with Retry and Delete', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('refused');
  await signIn(page, ada, roomPath(room));
  await page.route('**/messages', (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({
          status: 422,
          contentType: 'application/problem+json',
          body: JSON.stringify({ title: 'Not this', status: 422, code: 'refused' }),
        })
      : route.continue(),
  );
  await say(page, 'hard words');
  await expect(page.getByText('Not sent: Not this')).toBeVisible();
  await page.reload();
  await expect(page.locator('.unsent')).toContainText('hard words');
  await page.getByRole('button', { name: 'Delete this unsent message' }).click();
  await expect(page.locator('.unsent')).toHaveCount(0);
  expect(await ada.bodies(room)).toEqual([]);
});

test('what waits and what failed differ in words, in sign and in colour', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('unsent');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  let status = 503;
  await page.route('**/messages', (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({ status, json: { code: 'x', title: 'no room for this' } })
      : route.continue(),
  );
  const why = page.locator('.unsent .why');
  const look = () =>
    why.evaluate((row) => ({
      colour: getComputedStyle(row).color,
      sign: row.querySelector('path')!.getAttribute('d'),
    }));
  await say(page, 'will it go?');
  await expect(why).toHaveText('Not sent yet');
  const waiting = await look();
  status = 403;
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(why).toHaveText('Not sent: No room for this.');
  const failed = await look();
  expect(failed.colour).not.toBe(waiting.colour);
  expect(failed.sign).not.toBe(waiting.sign);
});
