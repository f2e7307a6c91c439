// The address of one message: it leads there, marks it, and reading goes on from it in both directions.
import { expect, messages, roomPath, signIn, test, texts } from './fixtures.ts';
import { postMany } from './measure.ts';
import type { ApiMessage } from './person.ts';

test('an address leads to its message: centred, marked, focused, with newer ones below', async ({
  page,
  person,
}) => {
  test.setTimeout(90_000);
  const ada = await person('ada');
  const room = await ada.createRoom('links');
  const posted: ApiMessage[] = [];
  for (let n = 1; n <= 400; n++) posted.push(await ada.post(room, `Message ${n}`));
  const path = `${roomPath(room)}/message/${posted[99]!.id}`;
  await signIn(page, ada, path);
  const row = messages(page).filter({ has: page.getByText('Message 100', { exact: true }) });
  await expect(row).toBeFocused();
  await expect(row).toHaveAttribute('aria-current', 'true');
  const seat = (await row.boundingBox())!;
  const list = (await page.locator('.scroller').boundingBox())!;
  const middle = list.y + list.height / 2;
  expect(Math.abs(seat.y + seat.height / 2 - middle)).toBeLessThanOrEqual(list.height / 8);
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeVisible();

  // Downwards to the end without a hole.
  const seen = new Set<string>();
  for (let rounds = 0; rounds < 60 && !seen.has('Message 400'); rounds++) {
    for (const text of await texts(page)) seen.add(text);
    await messages(page).last().scrollIntoViewIfNeeded();
    await expect(page.locator('.scroller')).toHaveAttribute('aria-busy', 'false');
  }
  for (let n = 100; n <= 400; n++) expect(seen).toContain(`Message ${n}`);

  await page.goto(ada.url + path);
  await expect(row).toBeFocused();
  await page.getByRole('button', { name: 'Jump to latest' }).click();
  await expect(page.getByText('Message 400')).toBeInViewport();
  await expect(page).toHaveURL(ada.url + roomPath(room));
  await expect(page.locator('[aria-current=true]')).toHaveCount(0);

  await page.goBack();
  await page.goto(`${ada.url}${roomPath(room)}/message/01a21d81-13eb-71f7-b482-c029f7f86df5`);
  await expect(page.getByText('The message that this link names is not here.')).toBeVisible();
  await expect(page.getByText('Message 400')).toBeInViewport();
});

test('an address leads to its message also when the first answers fail', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('links');
  const first = await ada.post(room, 'the one that is meant');
  await postMany([ada], room, 100);
  await signIn(page, ada);
  await page.route('**/messages?*', (route) => route.abort());
  await page.goto(`${ada.url}${roomPath(room)}/message/${first.id}`);
  await expect(page.getByText('The server does not answer. Trying again…')).toBeVisible();
  await page.unroute('**/messages?*');
  const row = messages(page).filter({ hasText: 'the one that is meant' });
  await expect(row).toBeFocused();
  await expect(row).toHaveAttribute('aria-current', 'true');
});

test('each message gives its link, to the mouse, to the keyboard and to a long press', async ({
  page,
  context,
  person,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const ada = await person('ada');
  const room = await ada.createRoom('links');
  const first = await ada.post(room, 'the first');
  const second = await ada.post(room, 'the second');
  await signIn(page, ada, roomPath(room));
  const link = (message: ApiMessage) => `${ada.url}${roomPath(room)}/message/${message.id}`;
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  const bar = page.getByRole('toolbar', { name: 'What to do with this message' });
  await expect(page.getByText('the second')).toBeVisible();
  await expect(bar).toHaveCount(0);

  const before = await messages(page).last().boundingBox();
  await page.getByText('the first').hover();
  await bar.getByRole('button', { name: 'Copy link' }).click();
  await expect(page.getByText('Link copied')).toBeVisible();
  expect(await copied()).toBe(link(first));
  expect(await messages(page).last().boundingBox()).toEqual(before);

  await page.mouse.move(0, 0);
  await page.getByRole('log').focus();
  await page.keyboard.press('ArrowUp');
  await expect(messages(page).last()).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(bar.getByRole('button', { name: 'Copy link' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect.poll(copied).toBe(link(second));

  await page.getByRole('textbox').last().focus();
  await expect(bar).toHaveCount(0);
  const touch = { pointerType: 'touch', bubbles: true };
  await page.getByText('the first').dispatchEvent('pointerdown', touch);
  await expect(bar).toBeVisible();
  await page.getByText('the first').dispatchEvent('pointerup', touch);
  await expect(bar).toBeVisible();
  await page.getByText('the second').dispatchEvent('pointerdown', touch);
  await page.getByText('the second').dispatchEvent('pointerup', touch);
  await expect(bar).toHaveCount(0);

  // The link works while the client runs, also twice for the same message.
  await page.goto(link(first));
  await expect(messages(page).first()).toBeFocused();
});
