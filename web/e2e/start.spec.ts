// The start of the page: what it loads, in which order, and how quietly it comes to rest.
import { type Page } from '@playwright/test';
import { box, expect, messages, roomPath, signIn, test } from './fixtures.ts';
import { probe } from './measure.ts';

/** The compressed bytes of the client's own files that the page has loaded. */
function weight(page: Page): Promise<number> {
  return page.evaluate(() =>
    (['navigation', 'resource'] as const)
      .flatMap((kind) => performance.getEntriesByType(kind) as PerformanceResourceTiming[])
      .filter(({ name }) => !name.includes('/v1/'))
      .reduce((bytes, { encodedBodySize }) => bytes + encodedBodySize, 0),
  );
}

test('until a room stands at most 75 KB are loaded, and signing in loads no room', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('start');
  await ada.post(room, 'hello');
  await page.goto(ada.url);
  await expect(page.getByLabel('Username')).toBeVisible();
  const files = () =>
    page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
  expect((await files()).join()).not.toMatch(/RoomPage|DirectoryPage|Settings/);
  expect(await weight(page)).toBeLessThanOrEqual(60 * 1024);

  await signIn(page, ada, roomPath(room));
  const next = await context.newPage();
  await next.goto(ada.url + roomPath(room));
  await expect(next.getByText('hello')).toBeVisible();
  await expect(box(next)).toBeVisible();
  const bytes = await weight(next);

  expect(bytes).toBeGreaterThan(40_000);
  expect(bytes).toBeLessThanOrEqual(75 * 1024);
});

test('the list of rooms and the room’s files do not wait for the answer who is signed in', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('start');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  let answer = () => {};
  const held = new Promise<void>((resolve) => (answer = resolve));
  await page.route('**/v1/users/me', async (route) => {
    await held;
    await route.continue();
  });
  await page.reload();
  await expect.poll(() => asked.join()).toContain('/v1/users/me/rooms');
  await expect.poll(() => asked.join()).toContain('RoomPage');
  answer();
  await expect(box(page)).toBeVisible();
});

test('nothing jumps and nothing blocks for long while a room opens on a slow machine', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('start');
  for (let n = 1; n <= 60; n++) await ada.post(room, `Message ${n} with some words in it`);
  await signIn(page, ada, roomPath(room));
  await expect(messages(page).last()).toBeVisible();
  const { cdp } = await probe(page);
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await page.addInitScript(() => {
    const seen = { shift: 0, blocking: 0, intl: 0 };
    Object.assign(window, { seen });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        seen.shift += (entry as unknown as { value: number }).value;
    }).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.blocking += Math.max(0, entry.duration - 50);
    }).observe({ type: 'longtask', buffered: true });
    const Format = Intl.DateTimeFormat;
    Intl.DateTimeFormat = new Proxy(Format, {
      construct(format, args) {
        seen.intl++;
        return Reflect.construct(format, args) as object;
      },
    });
  });
  const seen = () =>
    page.evaluate(
      () => (window as unknown as { seen: { shift: number; blocking: number; intl: number } }).seen,
    );
  await page.reload();
  await expect(page.getByText('Message 60')).toBeInViewport();
  await expect(page.locator('.scroller')).toHaveAttribute('aria-busy', 'false');
  const opened = await seen();
  expect(opened.shift).toBeLessThanOrEqual(0.05);
  expect(opened.blocking).toBeLessThanOrEqual(300);
  expect(opened.intl).toBeGreaterThan(0);

  // The first Intl object is dear, and the page for signing in has no use for one.
  await page.context().clearCookies();
  await page.goto(ada.url);
  await expect(page.getByLabel('Username')).toBeVisible();
  expect((await seen()).intl).toBe(0);
});
