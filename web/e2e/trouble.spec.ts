// What the page says and does when the server or the network is in trouble.
import { type Page } from '@playwright/test';
import { box, expect, messages, roomPath, say, signIn, test, texts } from './fixtures.ts';
import { pause, postMany, suspend } from './measure.ts';
import { Person, password } from './person.ts';
import { Server } from './server.ts';
import { Wire } from './wire.ts';

const waiting = (page: Page) => page.locator('.unsent', { hasText: 'Not sent yet' });

test('a server that takes few messages at a time gets them all, in order, and the page says when', async ({
  page,
}) => {
  const own = await Server.start({
    PARLOR_LIMITS__ENABLED: 'true',
    PARLOR_LIMITS__POST_PER_USER: '3, 1/4s',
  });
  try {
    const ada = await Person.register(own.url, 'ada');
    const room = await ada.createRoom('hurry');
    await signIn(page, ada, roomPath(room));
    await expect(box(page)).toBeVisible();
    const all = ['one', 'two', 'three', 'four', 'five'];
    for (const text of all) await say(page, text);
    await expect(waiting(page).first()).toBeVisible();
    const line = page.getByText(/Many messages in a short time: \d waits? for (its|their) turn\./);
    await expect(line).toBeVisible();
    await expect(page.getByText(/Goes on in [1-4] seconds?\./)).toBeVisible();
    await expect(page.getByText('connection')).toHaveCount(0);
    await expect(messages(page)).toHaveCount(5, { timeout: 25_000 });
    await expect(line).toHaveCount(0);
    expect(await texts(page)).toEqual(all);
    // Asking too early would have been refused again: at most one question for each message that had to wait.
    expect(own.answered('postMessage', 429)).toBeLessThanOrEqual(3);
  } finally {
    await own.remove();
  }
});

test('offline, each message has one mark and the room one line, and Try now tries', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('offline');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  await context.setOffline(true);
  for (const text of ['one', 'two', 'three']) await say(page, text);
  await expect(waiting(page)).toHaveCount(3);
  await expect(page.getByText('3 messages wait for the connection.')).toHaveCount(1);
  await context.setOffline(false);
  await expect(messages(page)).toHaveCount(3);
  await expect(page.getByText('for the connection')).toHaveCount(0);
  expect(await ada.bodies(room)).toEqual(['one', 'two', 'three']);
});

test('Try now tries at once, and the line stays where it is meanwhile', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('now');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  let tries = 0;
  await page.route('**/v1/rooms/*/messages', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    tries++;
    await route.abort();
  });
  await say(page, 'now');
  await expect(page.getByText('1 message waits for the connection.')).toBeVisible();
  // It is never away, not even for a frame.
  await page.evaluate(() => {
    const look = () => {
      if (!document.body.innerText.includes('waits for the connection')) document.title = 'gone';
      requestAnimationFrame(look);
    };
    look();
  });
  // The pauses grow, so a try that comes at once is one that was asked for.
  await expect.poll(() => tries, { timeout: 30_000 }).toBeGreaterThan(3);
  for (let round = 0; round < 3; round++) {
    const before = tries;
    await page.getByRole('button', { name: 'Try now' }).click();
    await expect.poll(() => tries, { timeout: 900, intervals: [50] }).toBeGreaterThan(before);
  }
  await expect(page).not.toHaveTitle('gone');
  await page.unroute('**/v1/rooms/*/messages');
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(messages(page)).toHaveText([/now/]);
});

test('a server in trouble is not called a lost connection', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('trouble');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  await page.route('**/messages', (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({ status: 503, json: { code: 'storage_full', title: 'full' } })
      : route.continue(),
  );
  await say(page, 'wait for me');
  await expect(page.getByText('The server cannot take messages at the moment.')).toBeVisible();
  await expect(page.getByText('connection')).toHaveCount(0);
  await page.unroute('**/messages');
  await expect(messages(page)).toHaveText([/wait for me/], { timeout: 15_000 });
});

test('a start without an answer says so, tries again by itself, and at once when asked', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  await signIn(page, ada);
  await page.route('**/v1/users/me', (route) => route.abort());
  await page.reload();
  await expect(page.getByText('The server does not answer. Trying again…')).toBeVisible();
  await page.unroute('**/v1/users/me');
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();

  let tries = 0;
  await page.route('**/v1/users/me', (route) => {
    tries++;
    return route.fulfill({
      status: 503,
      json: { code: 'not_ready' },
      headers: { 'Retry-After': '30' },
    });
  });
  await page.reload();
  await expect(page.getByText('The server is not ready')).toBeVisible();
  const before = tries;
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect.poll(() => tries).toBe(before + 1);
  await page.unroute('**/v1/users/me');
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();
});

test('a room that cannot be looked up is asked for again, by itself', async ({ page, person }) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await bob.createRoom('later');
  await signIn(page, ada);
  await page.route(`**/v1/rooms/${room.id}`, (route) => route.abort());
  await page.goto(ada.url + roomPath(room));
  await expect(page.getByText('The server does not answer. Trying again…')).toBeVisible();
  await page.unroute(`**/v1/rooms/${room.id}`);
  await expect(page.getByText('Join this room to read and write in it.')).toBeVisible();
});

test('messages that cannot be loaded are asked for again, by itself', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('unread');
  await ada.post(room, 'here it is');
  await signIn(page, ada);
  await page.route(`**/v1/rooms/${room.id}/messages*`, (route) => route.abort());
  await page.goto(ada.url + roomPath(room));
  await expect(page.getByText('The server does not answer. Trying again…')).toBeVisible();
  await page.unroute(`**/v1/rooms/${room.id}/messages*`);
  await expect(messages(page)).toHaveText([/here it is/]);
});

test('a room that failed once loads also when answers are slow', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('slow');
  await ada.post(room, 'here it is');
  await signIn(page, ada);
  let tries = 0;
  await page.route(/\/(messages|members)\?/, async (route) => {
    if (tries++ < 2) return route.abort();
    await pause(6_000);
    await route.continue();
  });
  await page.goto(ada.url + roomPath(room));
  await expect(page.getByText('The server does not answer. Trying again…')).toBeVisible();
  await expect(messages(page)).toHaveText([/here it is/], { timeout: 12_000 });
  const members = page.getByRole('complementary', { name: 'Members' });
  await expect(members.getByRole('listitem')).toHaveCount(1);
  expect(tries).toBe(4);
});

test('messages missed in a sleep are asked for until they come, and are not read before', async ({
  page,
  person,
}) => {
  test.setTimeout(90_000);
  const [ada, bob] = [await person('ada'), await person('bob')];
  const room = await ada.createRoom('kitchen');
  await bob.join(room);
  await bob.post(room, 'before the sleep');
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('before the sleep')).toBeInViewport();
  const wake = await suspend(page);
  await postMany([bob], room, 600);
  await bob.post(room, 'the last that was missed');
  const here = `**/v1/rooms/${room.id}/messages?limit=50`;
  let refused = 0;
  await page.route(here, (route) => {
    refused++;
    return route.fulfill({ status: 429, json: {}, headers: { 'Retry-After': '2' } });
  });
  await wake();
  await expect.poll(() => refused).toBe(1);
  await expect(page.getByRole('link', { name: /kitchen.*unread/ })).toBeVisible();
  await expect.poll(() => refused).toBe(2);
  await expect(page.getByRole('link', { name: /kitchen.*unread/ })).toBeVisible();
  await page.unroute(here);
  await expect(page.getByText('the last that was missed')).toBeInViewport();
  await expect(page.getByRole('link', { name: /unread/ })).toHaveCount(0);
});

test('history that cannot be loaded is asked for now and then, and comes by itself', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('long');
  await postMany([ada], room, 70);
  let tries = 0;
  const older = '**/messages?*before=*';
  await page.route(older, (route) => {
    tries++;
    return route.abort();
  });
  await signIn(page, ada, roomPath(room));
  await expect(messages(page)).toHaveCount(50);
  await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, -1e6));
  await expect.poll(() => tries).toBeGreaterThan(0);
  await pause(2_500);
  expect(tries).toBeLessThanOrEqual(3);
  await page.unroute(older);
  await expect(messages(page)).toHaveCount(70, { timeout: 12_000 });
});

test('what is sent from far up in the history is seen, also when the end cannot be loaded', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('long');
  const first = await ada.post(room, 'the first');
  await postMany([ada], room, 120);
  await signIn(page, ada, `${roomPath(room)}/message/${first.id}`);
  await expect(page.getByText('the first')).toBeInViewport();
  await page.route('**/v1/rooms/*/messages*', (route) => route.abort());
  await say(page, 'from far up');
  await expect(waiting(page)).toBeInViewport();
  await page.unroute('**/v1/rooms/*/messages*');
  await expect(page.locator('.message', { hasText: 'from far up' })).toBeInViewport({
    timeout: 12_000,
  });
});

test('a refusal of this page as foreign is explained, and not called a lost connection', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('foreign');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  const refusal = { status: 403, json: { code: 'cross_origin', title: 'from another site' } };
  await page.route('**/v1/rooms/*/messages', (route) =>
    route.request().method() === 'POST' ? route.fulfill(refusal) : route.continue(),
  );
  await say(page, 'hello?');
  await expect(page.locator('.unsent')).toContainText('Not sent: The server takes nothing');
  const banner = page.getByRole('status').filter({ hasText: 'server.public_url' });
  await expect(banner).toContainText(ada.url);
  await expect(page.getByText('Connection lost')).toHaveCount(0);
});

test('a connection that goes dead without a word is noticed within 20 seconds', async ({
  page,
  server,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('silent');
  await bob.join(room);
  const wire = await Wire.to(server.url);
  try {
    await page.goto(wire.url);
    await page.getByLabel('Username').fill(ada.username);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: room.name }).first().click();
    await bob.post(room, 'before');
    await expect(messages(page)).toHaveCount(1);
    const opened: number[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/v1/events')) opened.push(Date.now());
    });
    wire.goDead();
    const since = Date.now();
    await bob.post(room, 'into the silence');
    await say(page, 'out of the silence');
    await expect.poll(() => opened.length, { timeout: 30_000 }).toBeGreaterThan(0);
    // 15 s until the ping, 4 s of patience, 1 s before a new try.
    expect(opened[0]! - since).toBeLessThan(21_500);
    await expect(messages(page)).toHaveCount(3, { timeout: 20_000 });
    await expect(page.locator('.unsent')).toHaveCount(0);
    expect((await ada.bodies(room)).sort()).toEqual([
      'before',
      'into the silence',
      'out of the silence',
    ]);
  } finally {
    await page.close();
    await wire.cut();
  }
});

test('files that are dropped or pasted are not opened, and the page says that they cannot be sent', async ({
  page,
  person,
}, testInfo) => {
  const { writeFile } = await import('node:fs/promises');
  const file = testInfo.outputPath('a-picture.html');
  await writeFile(file, '<title>not the chat</title>');
  const ada = await person('ada');
  const room = await ada.createRoom('files');
  await signIn(page, ada, roomPath(room));
  await box(page).fill('a draft');
  const note = page.getByText('Files cannot be sent yet.');
  const browser = await page.context().newCDPSession(page);
  const drop = async (x: number, y: number) => {
    const data = { items: [], files: [file], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await browser.send('Input.dispatchDragEvent', { type, x, y, data });
    }
  };
  const area = (await box(page).boundingBox())!;
  for (const [x, y] of [
    [600, 300],
    [area.x + area.width / 2, area.y + area.height / 2],
  ] as const) {
    await drop(x, y);
    await expect(note).toBeVisible();
    await expect(page).toHaveURL(ada.url + roomPath(room));
    await expect(box(page)).toHaveValue('a draft');
    await expect(note).toHaveCount(0, { timeout: 15_000 });
  }

  const paste = (text: string) =>
    box(page).evaluate((target, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
      if (text) clipboardData.setData('text/plain', text);
      const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
      target.dispatchEvent(event);
      return event.defaultPrevented;
    }, text);
  expect(await paste('with words, as tables have them')).toBe(false);
  await expect(note).toHaveCount(0);
  expect(await paste('')).toBe(true);
  await expect(note).toBeVisible();
});
