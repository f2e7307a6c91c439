// Following: what stays in view, what counts as unread and where the line stands, while others write.
import { type Page } from '@playwright/test';
import { box, expect, messages, otherPage, roomPath, say, signIn, test } from './fixtures.ts';
import { pause } from './measure.ts';
import type { ApiRoom, Person } from './person.ts';

const scroller = (page: Page) => page.locator('.scroller');
const line = (page: Page) => page.locator('.rule.new');

async function talk(ada: Person, bob: Person, count: number): Promise<ApiRoom> {
  const room = await ada.createRoom('talk');
  await bob.join(room);
  for (let n = 1; n <= count; n++) await bob.post(room, `Message ${n}`);
  return room;
}

/** Another window gets the focus, or this one gets it back. */
async function focus(page: Page, has: boolean): Promise<void> {
  await page.evaluate((has) => dispatchEvent(new Event(has ? 'focus' : 'blur')), has);
}

test('up to 100 px from the end the list follows; further up each message is counted', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 60);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 60')).toBeInViewport();
  await scroller(page).evaluate((list) => (list.scrollTop = -60));
  for (const text of ['first', 'second', 'third']) {
    await bob.post(room, `The ${text} one`);
    await expect(page.getByText(`The ${text} one`)).toBeInViewport({ ratio: 1 });
  }
  expect(await scroller(page).evaluate((list) => list.scrollTop)).toBe(0);
  await expect(page.getByRole('button', { name: /new message|Jump/ })).toHaveCount(0);

  await scroller(page).evaluate((list) => (list.scrollTop = -150));
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeVisible();
  const eye = page.getByText('Message 50');
  const before = await eye.boundingBox();
  for (let n = 1; n <= 3; n++) {
    await bob.post(room, `Out of sight ${n}`);
    const count = n === 1 ? '1 new message' : `${n} new messages`;
    await expect(page.getByRole('button', { name: count })).toBeVisible();
  }
  expect(Math.abs((await eye.boundingBox())!.y - before!.y)).toBeLessThan(1);
});

test('nothing moves when a message is confirmed, and its element stays', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 30);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 30')).toBeInViewport();
  await page.route('**/messages', async (route) => {
    if (route.request().method() === 'POST') await pause(1_500);
    await route.continue();
  });
  // The first begins a run, the second goes on with it.
  for (const text of ['a run begins', 'and goes on']) {
    await say(page, text);
    const unsent = page.locator('.unsent', { hasText: text });
    await expect(unsent).toBeVisible();
    await expect(page.getByText('Sending…')).toBeVisible();
    const moved = page.locator('.rows').evaluate(async (rows) => {
      const all = [...rows.querySelectorAll<HTMLElement>('article')].slice(-8);
      const own = all.at(-1)!;
      const places = () => all.map((row) => row.getBoundingClientRect().top);
      const face = own.querySelector('.face, time');
      const before = places();
      let worst = 0;
      const look = () => {
        places().forEach((top, at) => (worst = Math.max(worst, Math.abs(top - before[at]!))));
      };
      while (own.classList.contains('unsent')) {
        await new Promise(requestAnimationFrame);
        look();
      }
      for (let frames = 0; frames < 20; frames++) {
        await new Promise(requestAnimationFrame);
        look();
      }
      return { worst, kept: own.isConnected && own.querySelector('.face, time') === face };
    });
    expect(await moved).toEqual({ worst: 0, kept: true });
    await expect(messages(page).last()).toContainText(text);
  }
});

test('joins, topics and own messages make nothing unread after a visit, messages of others do', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 3);
  const other = await talk(ada, bob, 3);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 3')).toBeVisible();
  await say(page, 'my last word');
  await expect(messages(page)).toHaveCount(4);
  await page.goto('about:blank');

  await (await person('cal')).join(room);
  await ada.call('PATCH', `/v1/rooms/${room.id}`, { topic: 'Something else' });
  await ada.post(room, 'from my other device');
  await bob.post(other, 'news');

  await page.goto(ada.url);
  const unread = page.getByRole('navigation').getByRole('link', { name: /unread/ });
  await expect(unread).toHaveText(new RegExp(other.name));
  await expect(page).toHaveTitle(/^\(1\)/);
  await page.getByRole('link', { name: room.name }).first().click();
  await expect(page.getByText('from my other device')).toBeVisible();
  await expect(line(page)).toHaveCount(0);
  await unread.click();
  await expect(line(page)).toHaveCount(1);
  await expect(line(page).locator('+ article')).toContainText('news');
  await expect(page).not.toHaveTitle(/^\(/);
});

test('the line never stands above an own message: whoever wrote had read what was there', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 3);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 3')).toBeVisible();
  await page.goto('about:blank');
  await bob.post(room, 'a question');
  await ada.post(room, 'answered from elsewhere');
  await bob.post(room, 'thanks');
  await page.goto(ada.url + roomPath(room));
  await expect(line(page).locator('+ article')).toContainText('thanks');
  await expect(line(page)).toHaveCount(1);
});

test('what comes while another window has the focus is unread, and the line stays where it is', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 3);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 3')).toBeVisible();
  await bob.post(room, 'seen at once');
  await expect(page.getByText('seen at once')).toBeVisible();
  await expect(page).not.toHaveTitle(/^\(/);
  await expect(line(page)).toHaveCount(0);

  await focus(page, false);
  await bob.post(room, 'unseen');
  await expect(page).toHaveTitle(/^\(1\)/);
  await expect(line(page).locator('+ article')).toContainText('unseen');
  await bob.post(room, 'unseen as well');
  await expect(page.getByText('unseen as well')).toBeInViewport();
  await focus(page, true);
  await expect(page).not.toHaveTitle(/^\(/);
  await say(page, 'my answer');
  await expect(messages(page).last()).toContainText('my answer');
  await expect(line(page)).toHaveCount(1);
  await expect(line(page).locator('+ article')).toContainText('unseen');
});

test('the line waits until it is known where the unread messages begin, and does not move', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 20);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 20')).toBeVisible();
  await page.goto('about:blank');
  for (let n = 21; n <= 120; n++) await bob.post(room, `Message ${n}`);
  await page.goto(ada.url + roomPath(room));
  // More than a page is unread, and the room opens at the first of them all the same.
  await expect(line(page).locator('+ article')).toContainText('Message 21');
  await expect(line(page)).toBeInViewport();
  await expect(line(page)).toHaveCount(1);
});

test('Home goes to the very start of the room, End back to the newest message', async ({
  page,
  person,
}) => {
  test.setTimeout(90_000);
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 700);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 700')).toBeInViewport();
  await page.getByRole('log').focus();
  await page.keyboard.press('Home');
  await expect(page.getByText('This is the start of')).toBeInViewport();
  await expect(messages(page).first()).toContainText('Message 1');
  await expect(messages(page).first()).toBeFocused();
  await page.keyboard.press('End');
  await expect(page.getByText('Message 700')).toBeInViewport();
  await expect(messages(page).last()).toBeFocused();
});

test('among 300 rooms the open one is in sight, and a pill leads to unread ones that are not', async ({
  page,
  person,
}) => {
  test.setTimeout(120_000);
  const ada = await person('ada');
  const bob = await person('bob');
  const rooms: ApiRoom[] = [];
  const visibility = 'private';
  for (let n = 0; n < 300; n++) {
    rooms.push(await ada.createRoom(`room-${String(n).padStart(3, '0')}`, { visibility }));
  }
  const [first, middle, last] = [rooms[0]!, rooms[150]!, rooms[299]!];
  for (const room of [first, last]) {
    await ada.call('PUT', `/v1/rooms/${room.id}/members/${bob.username}`, {});
  }
  await signIn(page, ada, roomPath(middle));
  const nav = page.getByRole('navigation');
  await expect(nav.getByRole('link', { name: middle.name })).toBeInViewport();
  await expect(page.getByRole('button', { name: /unread (above|below)/ })).toHaveCount(0);
  await bob.post(first, 'far up');
  await bob.post(last, 'far down');
  // Unread rooms stand first in the list, so they are above what is in sight.
  await page.getByRole('button', { name: '2 unread above' }).click();
  await expect(nav.getByRole('link', { name: last.name })).toBeInViewport();
  await expect(nav.getByRole('link', { name: last.name })).toBeFocused();
  await expect(page.getByRole('button', { name: /unread above/ })).toHaveCount(0);
  await page.setViewportSize({ width: 1280, height: 230 });
  await nav.evaluate((list) => (list.scrollTop = 0));
  await page.getByRole('button', { name: /unread below/ }).click();
  await expect(nav.getByRole('link', { name: last.name })).toBeFocused();
});

test('the switcher offers unread rooms first, then those that were opened last', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const [a, b, c, d] = [
    await ada.createRoom('aa'),
    await ada.createRoom('bb'),
    await ada.createRoom('cc'),
    await ada.createRoom('dd'),
  ];
  await bob.join(a);
  await signIn(page, ada, roomPath(d));
  for (const room of [b, c]) {
    await page.getByRole('link', { name: room.name }).click();
    await expect(page.getByRole('heading', { name: room.name })).toBeVisible();
  }
  await bob.post(a, 'news');
  await expect(page).toHaveTitle(/^\(1\)/);
  await page.keyboard.press('Control+k');
  const options = page.getByRole('option');
  await expect(options).toHaveText([a, b, d, c].map((room) => new RegExp(room.name)));
  await page.keyboard.type(d.name);
  await expect(options.first()).toContainText(d.name);
});

test('Today and the times follow midnight and the time zone', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('night');
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Emulation.setTimezoneOverride', { timezoneId: 'UTC' });
  await signIn(page, ada, roomPath(room));
  await say(page, 'just now');
  const time = messages(page).locator('time').first();
  await expect(page.getByText('Today')).toBeVisible();
  const before = await time.textContent();

  await cdp.send('Emulation.setTimezoneOverride', { timezoneId: 'Asia/Kathmandu' });
  await focus(page, true);
  await expect(time).not.toHaveText(before!);

  await page.evaluate(() => {
    const { now } = Date;
    const day = 24 * 3_600_000;
    const Real = Date;
    // The page's clock moves on by a day, as over a night.
    globalThis.Date = new Proxy(Real, {
      construct: (date, values: []) =>
        values.length ? new date(...values) : new date(now() + day),
      get: (date, key) => (key === 'now' ? () => now() + day : Reflect.get(date, key)),
    });
  });
  await focus(page, true);
  await expect(page.getByText('Yesterday')).toBeVisible();
  await expect(page.getByText('Today')).toHaveCount(0);
  await expect(box(page)).toBeVisible();
});

test('a second person sees the line where their own reading stopped', async ({
  page,
  browser,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await talk(ada, bob, 3);
  await signIn(page, ada, roomPath(room));
  const other = await otherPage(browser, bob, roomPath(room));
  await expect(other.getByText('Message 3')).toBeVisible();
  await focus(other, false);
  await say(page, 'for bob');
  await expect(line(other).locator('+ article')).toContainText('for bob');
  await expect(line(page)).toHaveCount(0);
});
