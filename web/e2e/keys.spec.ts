// Everything is reached by keys, the focus is never lost, and screen readers hear what is new and nothing else.
import { type Page } from '@playwright/test';
import { box, expect, messages, roomPath, say, signIn, test } from './fixtures.ts';
import type { ApiRoom, Person } from './person.ts';

const heading = (page: Page, name: string) =>
  page.getByRole('heading', { name, exact: true, level: 1 });

/** Three rooms in the order of their names, of which bob has written in the last. */
async function three(ada: Person, bob: Person): Promise<[ApiRoom, ApiRoom, ApiRoom]> {
  const rooms: ApiRoom[] = [];
  for (const stem of ['a-garden', 'b-kitchen', 'c-library']) {
    rooms.push(await ada.createRoom(stem));
  }
  await bob.join(rooms[2]!);
  return rooms as [ApiRoom, ApiRoom, ApiRoom];
}

test('Alt and arrows go from room to room, with Shift from unread room to unread room', async ({
  page,
  person,
}) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const [garden, kitchen, library] = await three(ada, bob);
  await signIn(page, ada, roomPath(garden));
  await expect(box(page)).toBeVisible();
  await box(page).focus();
  await page.keyboard.press('Alt+ArrowDown');
  await expect(heading(page, kitchen.name)).toBeFocused();
  await page.keyboard.press('Alt+ArrowUp');
  await expect(heading(page, garden.name)).toBeFocused();
  await page.keyboard.press('Alt+ArrowUp');
  await expect(heading(page, library.name)).toBeFocused();
  await page.keyboard.press('Alt+ArrowDown');
  await expect(heading(page, garden.name)).toBeFocused();

  await bob.post(library, 'something');
  await bob.post(library, 'something new');
  await expect(page.getByRole('link', { name: /c-library.*unread/ })).toBeVisible();
  await page.keyboard.press('Shift+Alt+ArrowDown');
  await expect(heading(page, library.name)).toBeFocused();
  await expect(page.getByText('something new')).toBeVisible();
  await expect(page.getByRole('link', { name: /unread/ })).toHaveCount(0);
  // There is no other unread room, so nothing happens.
  await page.keyboard.press('Shift+Alt+ArrowDown');
  await expect(heading(page, library.name)).toBeVisible();

  // Among the messages arrows alone go from message to message, and with Alt they mean the same as everywhere.
  await page.getByRole('log').focus();
  await page.keyboard.press('ArrowUp');
  await expect(messages(page).last()).toBeFocused();
  await page.keyboard.press('Alt+ArrowUp');
  await expect(heading(page, kitchen.name)).toBeFocused();
});

test('a question mark shows the keys and a slash the directory, but not while writing, and not when switched off', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  await signIn(page, ada, roomPath(room));
  const list = page.getByRole('dialog', { name: 'Keys' });
  await box(page).focus();
  await page.keyboard.type('/?');
  await expect(box(page)).toHaveValue('/?');
  await expect(list).toHaveCount(0);
  await box(page).fill('');

  await page.getByRole('log').focus();
  await page.keyboard.press('?');
  await expect(list).toBeVisible();
  await expect(list.getByText('Go to a room')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(list).toHaveCount(0);
  await expect(page.getByRole('log')).toBeFocused();
  await page.keyboard.press('/');
  await expect(page.getByLabel('Search rooms')).toBeFocused();

  await page.goto(`${ada.url}/settings`);
  await page
    .getByRole('group', { name: /^Keys of one character/ })
    .getByLabel('Off')
    .check();
  await page.keyboard.press('?');
  await page.keyboard.press('/');
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog')).toHaveCount(1);
  await expect(list).toHaveCount(0);
  await expect(heading(page, 'Settings')).toBeAttached();
});

test('Escape leads from the messages to the box, and there marks the room as read', async ({
  page,
  person,
}) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const room = await ada.createRoom('kitchen');
  await bob.join(room);
  await signIn(page, ada);
  await expect(page.getByRole('link', { name: /kitchen/ }).first()).toBeVisible();
  // More than fits: the end is not seen, so nothing but the key marks the room as read.
  for (let n = 0; n < 60; n++) await bob.post(room, `line ${n}\nand another`);
  const unread = page.getByRole('link', { name: /unread/ });
  await expect(unread).toBeVisible();
  await page.goto(ada.url + roomPath(room));
  await expect(messages(page).first()).toBeVisible();
  await messages(page).first().focus();
  await page.keyboard.press('Escape');
  await expect(box(page)).toBeFocused();
  await expect(unread).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(unread).toHaveCount(0);
});

test('opening a room and loading its history announces nothing; new messages come one by one', async ({
  page,
  person,
}) => {
  const [ada, bob] = [await person('ada'), await person('bob', 'Bob')];
  const room = await ada.createRoom('kitchen');
  await bob.join(room);
  for (let n = 0; n < 120; n++) await bob.post(room, `line ${n}`);
  await page.addInitScript(() => {
    const heard: string[] = [];
    Object.assign(window, { heard });
    // What a screen reader takes: what is added within a live region that is neither off nor busy.
    new MutationObserver((changes) => {
      for (const { addedNodes, target } of changes) {
        const at = target instanceof Element ? target : target.parentElement;
        const region = at?.closest('[aria-live], [role="log"]');
        if (!region || region.getAttribute('aria-live') === 'off') continue;
        if (region.closest('[aria-busy="true"]')) continue;
        if (!region.closest('[role="log"]')) continue;
        for (const node of addedNodes) {
          const text = node.textContent?.trim();
          const off = node instanceof Element && node.getAttribute('aria-live') === 'off';
          if (text && !off) heard.push(text);
        }
      }
    }).observe(document, { childList: true, subtree: true });
  });
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('line 119', { exact: true })).toBeVisible();
  await page.getByRole('log').focus();
  await page.keyboard.press('Home');
  await expect(page.getByText('line 0', { exact: true })).toBeVisible();
  await page.keyboard.press('End');
  await expect(page.getByText('line 119', { exact: true })).toBeVisible();
  await expect(page.getByRole('log')).toHaveAttribute('aria-live', 'polite');
  expect(await heard()).toEqual([]);
  await bob.post(room, 'first');
  await bob.post(room, 'second');
  await expect.poll(async () => (await heard()).length).toBe(2);
  expect((await heard())[0]).toMatch(/Bob.*first/s);
  expect((await heard())[1]).toMatch(/Bob.*second/s);
});

test('what is typed for a dialog that is still being loaded becomes no message', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  let arrives = () => {};
  const arrival = new Promise<void>((done) => (arrives = done));
  await page.route(/Switcher.*\.js/, async (route) => {
    await arrival;
    await route.continue();
  });
  await signIn(page, ada, roomPath(room));
  await box(page).focus();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.type('kitchen');
  await page.keyboard.press('Enter');
  await expect(box(page)).toHaveValue('');
  arrives();
  await expect(page.getByRole('combobox')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(box(page)).toBeFocused();
  await expect(messages(page)).toHaveCount(0);
});

test('the focus is never lost', async ({ page, person }) => {
  const [ada, bob] = [await person('ada'), await person('bob', 'Bob')];
  const room = await ada.createRoom('kitchen');
  await bob.join(room);
  await signIn(page, ada, roomPath(room));
  const kept = async () => {
    await page.evaluate(() => new Promise(requestAnimationFrame));
    expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
  };
  await expect(heading(page, room.name)).toBeFocused();
  await page.route('**/messages', (route) => route.abort());
  await say(page, 'nowhere to go');
  await page.getByRole('button', { name: 'Delete this unsent message' }).click();
  await expect(page.getByText('nowhere to go')).toHaveCount(0);
  await kept();
  await page.unroute('**/messages');
  for (const choice of ['Add a person', 'Edit room', 'Leave room', 'Delete room']) {
    await page.getByRole('button', { name: 'Room options' }).click();
    await page.getByRole('menuitem', { name: choice }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await kept();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await kept();
  }
  await page.getByRole('button', { name: 'Hide members' }).last().click();
  await kept();
  await page.getByRole('button', { name: 'Show members' }).click();
  await page.getByRole('button', { name: 'Room options' }).click();
  await page.getByRole('menuitem', { name: 'Delete room' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete room' }).click();
  await expect(heading(page, 'Rooms')).toBeVisible();
  await kept();
  await page
    .getByRole('link', { name: 'Ada' })
    .or(page.locator('a[href="/settings"]'))
    .first()
    .click();
  await expect(heading(page, 'Settings')).toBeFocused();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Username')).toBeFocused();
});
