// How the pages are laid out: measures, the room list, the home of a phone, text at 200 %, forced colours.
import { type Page } from '@playwright/test';
import { box, expect, messages, roomPath, signIn, test } from './fixtures.ts';

const sideways = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('messages stand in a column of at most 72 characters, 15 pixels on lines of 22', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  await ada.post(room, 'word '.repeat(200).trim());
  await page.setViewportSize({ width: 1440, height: 900 });
  await signIn(page, ada, roomPath(room));
  const body = messages(page).first().locator('.body');
  await expect(body).toBeVisible();
  const measures = await body.evaluate((node) => {
    const style = getComputedStyle(node);
    const zero = document.createElement('span');
    zero.textContent = '0'.repeat(72);
    node.append(zero);
    const most = zero.getBoundingClientRect().width;
    zero.remove();
    return {
      size: style.fontSize,
      line: Math.round(parseFloat(style.lineHeight)),
      fits: node.getBoundingClientRect().width <= most + 1,
    };
  });
  expect(measures).toEqual({ size: '15px', line: 22, fits: true });
  // The box stands below the messages, with the same edges.
  const edge = (await messages(page).first().locator('.gutter').boundingBox())!.x;
  const form = (await page
    .locator('form')
    .filter({ has: box(page) })
    .boundingBox())!;
  expect(form.x).toBeLessThanOrEqual(edge + 1);
  // A rule is of smaller text, and as wide all the same.
  const rule = (await page.locator('.rule').first().boundingBox())!;
  expect([rule.x, rule.width]).toEqual([form.x, form.width]);
});

test('rooms are rows of 30 pixels, the unread ones in a section of their own that stays while reading', async ({
  page,
  person,
}) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const garden = await ada.createRoom('a-garden', { visibility: 'private' });
  const kitchen = await ada.createRoom('b-kitchen');
  await bob.join(kitchen);
  await signIn(page, ada, roomPath(garden));
  const list = page.getByRole('navigation', { name: 'Your rooms' });
  const links = list.getByRole('listitem').getByRole('link');
  await expect(links).toHaveCount(2);
  expect((await links.first().boundingBox())!.height).toBe(30);
  await expect(links.first()).toContainText('Private room');
  await expect(list.getByRole('heading', { name: /^Unread/ })).toHaveCount(0);

  await bob.post(kitchen, 'hello');
  await expect(list.getByRole('heading', { name: 'Unread 1' })).toBeVisible();
  await expect(links.first()).toContainText(kitchen.name);
  await links.first().click();
  await expect(page.getByText('hello')).toBeVisible();
  await expect(links.first()).not.toContainText('unread');
  await expect(links.first()).toContainText(kitchen.name);
  await page.goto(ada.url + roomPath(garden));
  await expect(list.getByRole('heading', { name: /^Unread/ })).toHaveCount(0);
});

test('names stand in line, whichever way their script runs', async ({ page, person }) => {
  const ada = await person('ada', 'ليلى حداد');
  await ada.createRoom('kitchen', { title: 'Kitchen' });
  const room = await ada.createRoom('arabic', { title: 'نقاش عام', topic: 'أهلاً وسهلاً' });
  await signIn(page, ada, roomPath(room));
  await expect(page.getByRole('listitem').filter({ hasText: 'ليلى' })).toBeVisible();
  const starts = (selector: string) =>
    page.locator(selector).evaluateAll((names) =>
      names.map((name) => {
        const range = document.createRange();
        range.selectNodeContents(name);
        return Math.round(range.getBoundingClientRect().x);
      }),
    );
  for (const column of ['nav li bdi', 'main header .text bdi', '.members .names .ellipsis > *']) {
    const [first, second] = await starts(column);
    expect([column, second]).toEqual([column, first]);
  }
});

test('the bar of the open room has a contrast of 3:1, in light and dark', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(ada.url);
    if (colorScheme === 'light') await signIn(page, ada, roomPath(room));
    else await page.goto(ada.url + roomPath(room));
    const open = page.getByRole('link', { name: room.name }).first();
    await expect(open).toHaveAttribute('aria-current', 'page');
    const contrast = await open.evaluate((node) => {
      const parts = (colour: string) =>
        colour
          .match(/[\d.]+/g)!
          .map(Number)
          .slice(0, 3);
      const light = (colour: string) => {
        const [r, g, b] = parts(colour).map((part) => {
          const c = part / 255;
          return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      const bar = light(getComputedStyle(node, '::before').backgroundColor);
      const ground = light(getComputedStyle(node).backgroundColor);
      const side = light(getComputedStyle(node.closest('aside')!).backgroundColor);
      const ratio = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return Math.min(ratio(bar, ground), ratio(bar, side));
    });
    expect(contrast).toBeGreaterThanOrEqual(3);
  }
});

test('a name opens a card with the handle, and Escape goes back to the name', async ({
  page,
  person,
}) => {
  const ada = await person('ada', 'Ada Lovelace');
  const room = await ada.createRoom('kitchen');
  await ada.post(room, 'hello');
  await signIn(page, ada, roomPath(room));
  const row = messages(page).first();
  await expect(row).not.toContainText('@');
  const name = row.getByRole('button', { name: 'Ada Lovelace' });
  await name.click();
  const card = page.getByRole('dialog', { name: 'Ada Lovelace' });
  await expect(card).toContainText(`@${ada.username}`);
  await page.keyboard.press('Escape');
  await expect(card).toBeHidden();
  await expect(name).toBeFocused();
});

test('the home of a phone is one’s rooms', async ({ browser, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await context.newPage();
  await signIn(page, ada);
  await expect(page.getByRole('heading', { name: 'Your rooms', level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Browse rooms' }).click();
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeFocused();
  await page.goBack();
  await page.getByRole('link', { name: room.name }).click();
  await expect(page.getByRole('heading', { name: room.name, level: 1 })).toBeFocused();
  expect(await sideways(page)).toBe(0);
  await context.close();
});

test('who is in no room yet has one next step on a phone', async ({ browser, person }) => {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await context.newPage();
  await signIn(page, await person('ada'));
  await expect(page.getByText('You are in no room yet.')).toBeVisible();
  await page.getByRole('link', { name: 'Browse rooms' }).click();
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeFocused();
  await context.close();
});

test('with text of 200 % nothing scrolls sideways and the box stays in sight', async ({
  browser,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen', { title: 'A kitchen with a rather long title' });
  await ada.post(room, 'hello');
  for (const width of [1200, 360]) {
    const context = await browser.newContext({ viewport: { width, height: 740 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      // The reader's own size of text, as browsers have it in their settings.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(':root { font-size: 200% !important; }');
      document.adoptedStyleSheets = [sheet];
    });
    await page.goto(ada.url);
    await expect(page.getByLabel('Language')).toBeVisible();
    expect(await sideways(page)).toBe(0);
    await signIn(page, ada, roomPath(room));
    await expect(messages(page)).toHaveCount(1);
    expect(await box(page).evaluate((node) => getComputedStyle(node).fontSize)).not.toBe('15px');
    await expect(box(page)).toBeInViewport();
    expect(await sideways(page)).toBe(0);
    for (const path of ['/', '/rooms', '/settings']) {
      await page.goto(ada.url + path);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      expect(await sideways(page)).toBe(0);
    }
    await context.close();
  }
});

test('who wants no motion gets none', async ({ browser, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  for (const reducedMotion of ['no-preference', 'reduce'] as const) {
    const context = await browser.newContext({
      viewport: { width: 360, height: 740 },
      reducedMotion,
    });
    const page = await context.newPage();
    await signIn(page, ada, roomPath(room));
    await page.evaluate(() => {
      const times: number[] = [];
      Object.assign(window, { times });
      document.addEventListener('animationstart', (event) => {
        const [animation] = (event.target as Element).getAnimations();
        times.push(Number(animation?.effect?.getTiming().duration ?? 0));
      });
    });
    await page.getByRole('button', { name: 'Open menu' }).click();
    await expect(page.getByRole('dialog', { name: 'Your rooms' })).toBeVisible();
    const times = () => page.evaluate(() => (window as unknown as { times: number[] }).times);
    if (reducedMotion === 'no-preference') {
      await expect.poll(async () => Math.max(...(await times()))).toBeGreaterThan(100);
    } else {
      expect(Math.max(0, ...(await times()))).toBeLessThanOrEqual(1);
    }
    await context.close();
  }
});
