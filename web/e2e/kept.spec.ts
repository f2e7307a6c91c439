// What people wrote is kept: over tabs, closing, damaged or refused storage, and a sign-out keeps none of it.
import type { BrowserContext, Page } from '@playwright/test';
import { box, expect, messages, roomPath, say, signIn, test, texts, watch } from './fixtures.ts';
import { Person, password, type ApiRoom } from './person.ts';
import { Server } from './server.ts';

const unsent = (page: Page) => page.locator('.unsent');

/** A further tab of the same browser. */
async function tab(context: BrowserContext, person: Person, room: ApiRoom): Promise<Page> {
  const page = await context.newPage();
  await page.goto(person.url + roomPath(room));
  await expect(box(page)).toBeVisible();
  return page;
}

test('a message written offline outlives its tab, which asks before it closes', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('close');
  await signIn(page, ada, roomPath(room));
  await say(page, 'first');
  await expect(messages(page)).toHaveCount(1);
  await context.setOffline(true);
  await say(page, 'written offline');
  await say(page, 'and another');
  await expect(unsent(page)).toHaveCount(2);
  await expect(unsent(page).getByText('Not sent yet')).toHaveCount(2);
  const asked = page.waitForEvent('dialog');
  await page.close({ runBeforeUnload: true });
  const dialog = await asked;
  expect(dialog.type()).toBe('beforeunload');
  const closed = page.waitForEvent('close');
  await dialog.accept();
  await closed;
  await context.setOffline(false);
  expect(await ada.bodies(room)).toEqual(['first']);

  // The next visit sends them, also when it shows another page.
  const later = await context.newPage();
  await later.goto(ada.url);
  await expect.poll(() => ada.bodies(room)).toEqual(['first', 'written offline', 'and another']);
  await later.goto(ada.url + roomPath(room));
  await expect(messages(later)).toHaveCount(3);
  await expect(unsent(later)).toHaveCount(0);
});

test('a page with nothing unsent closes without a question', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('calm');
  await signIn(page, ada, roomPath(room));
  await say(page, 'sent');
  await expect(messages(page)).toHaveCount(1);
  await box(page).fill('a draft is kept anyway');
  let asked = false;
  page.on('dialog', (dialog) => {
    asked = true;
    void dialog.accept();
  });
  const closed = page.waitForEvent('close');
  await page.close({ runBeforeUnload: true });
  await closed;
  expect(asked).toBe(false);
});

test('two tabs show the same unsent messages, and send each once and in the order written', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('two');
  await signIn(page, ada, roomPath(room));
  const other = await tab(context, ada, room);
  await context.setOffline(true);
  for (const [index, text] of ['one', 'two', 'three', 'four'].entries()) {
    await say(index % 2 ? other : page, text);
    for (const each of [page, other]) await expect(unsent(each)).toHaveCount(index + 1);
  }
  await unsent(other).first().getByRole('button', { name: 'Delete' }).click();
  await expect(unsent(page)).toHaveCount(3);
  await context.setOffline(false);
  for (const each of [page, other]) {
    await expect(messages(each)).toHaveText([/two/, /three/, /four/]);
    await expect(unsent(each)).toHaveCount(0);
  }
  expect(await ada.bodies(room)).toEqual(['two', 'three', 'four']);
});

test('a draft is the same in all tabs, and gone from all when it is sent', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('draft');
  await signIn(page, ada, roomPath(room));
  const other = await tab(context, ada, room);
  await box(page).pressSequentially('half a thought');
  await expect(box(other)).toHaveValue('half a thought');
  await box(other).press('End');
  await box(other).pressSequentially(', and the rest');
  await expect(box(page)).toHaveValue('half a thought, and the rest');
  await box(other).press('Enter');
  for (const each of [page, other]) {
    await expect(messages(each)).toHaveText([/half a thought, and the rest/]);
    await expect(box(each)).toHaveValue('');
  }

  // Sending from one tab takes away what was sent, not what is typed in another one after it.
  await say(page, 'from the first');
  await box(other).pressSequentially('next');
  await expect(messages(other)).toHaveCount(2);
  await expect(box(other)).toHaveValue('next');
  await other.reload();
  await expect(box(other)).toHaveValue('next');
});

test('signing out leaves nothing behind, and the next person starts at the beginning', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('bye');
  await bob.join(room);
  await signIn(page, ada, roomPath(room));
  const other = await tab(context, ada, room);
  await context.setOffline(true);
  await say(page, 'never sent');
  await box(page).fill('a draft nobody should find');
  await expect(page.getByText('Not sent yet')).toBeVisible();
  // The session is the only thing that is reached.
  await page.route('**/messages', (route) => route.abort());
  await other.route('**/messages', (route) => route.abort());
  await context.setOffline(false);
  await other.locator('a[href="/settings"]').click();
  await other.getByRole('button', { name: 'Sign out' }).click();
  const dialog = other.getByRole('dialog');
  await expect(dialog).toContainText('1 message has not been sent. Signing out deletes it.');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await other.getByRole('button', { name: 'Sign out' }).click();
  await dialog.getByRole('button', { name: 'Sign out' }).click();
  for (const each of [page, other]) {
    await expect(each.getByLabel('Username')).toBeVisible();
    await expect(each).toHaveURL(`${ada.url}/`);
  }
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain('a draft nobody should find');
  expect(kept).not.toContain('never sent');

  await page.unroute('**/messages');
  await page.getByLabel('Username').fill(bob.username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  for (const each of [page, other]) {
    await expect(each.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();
  }
  await page.getByRole('link', { name: room.name }).first().click();
  await expect(box(page)).toHaveValue('');
  await expect(unsent(page)).toHaveCount(0);
  expect(await ada.bodies(room)).toEqual([]);
});

test('texts of a session that ended elsewhere come back to their author, and to nobody else', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('ended');
  await bob.join(room);
  await signIn(page, ada, roomPath(room));
  await box(page).fill('to be continued');
  await ada.endAllSessions();
  await expect(page.getByText('You have been signed out.')).toBeVisible();
  await expect(page).toHaveURL(ada.url + roomPath(room));
  await page.getByLabel('Username').fill(bob.username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(`${ada.url}/`);
  await page.getByRole('link', { name: room.name }).first().click();
  await expect(box(page)).toHaveValue('');
  await page.locator('a[href="/settings"]').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Username')).toBeVisible();
  const back = await context.newPage();
  await signIn(back, ada, roomPath(room));
  await expect(box(back)).toHaveValue('to be continued');
});

const refusals: [string, () => void][] = [
  [
    'is full',
    () => {
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    },
  ],
  [
    'may not be used',
    () => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, {
          get: () => {
            throw new DOMException('denied', 'SecurityError');
          },
        });
      }
    },
  ],
  [
    'is missing',
    () => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get: () => null });
      }
    },
  ],
];

for (const [name, refuse] of refusals) {
  test(`a storage that ${name}: everything works, and the page says what is missing`, async ({
    page,
    person,
  }) => {
    const ada = await person('ada');
    const room = await ada.createRoom('nostore');
    const two = await ada.createRoom('other');
    await page.addInitScript(refuse);
    await signIn(page, ada, roomPath(room));
    const note = page.getByText('This browser does not let the page store anything.');
    await expect(note).toBeVisible();
    await say(page, 'works');
    await expect(messages(page)).toHaveText([/works/]);
    await box(page).fill('a draft');
    await page.getByRole('link', { name: two.name }).click();
    await expect(box(page)).toHaveValue('');
    await page.getByRole('link', { name: room.name }).click();
    await expect(box(page)).toHaveValue('a draft');
    await page.reload();
    await expect(messages(page)).toHaveText([/works/]);
    await note.getByRole('button', { name: 'Close' }).click();
    await expect(note).toHaveCount(0);
    await page.locator('a[href="/settings"]').click();
    await page.getByText('Dark', { exact: true }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByLabel('Username')).toBeVisible();
  });
}

test('a storage with damaged values counts as empty', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('damaged');
  await signIn(page, ada, roomPath(room));
  await say(page, 'one');
  await expect(messages(page)).toHaveCount(1);
  const { id } = await ada.call<{ id: string }>('GET', '/v1/users/me');
  const faults = watch(page);
  for (const value of [
    '',
    '{',
    'null',
    '[]',
    '"x"',
    '5',
    '{"at":"never","lives":{}}',
    '[{"a":1}]',
  ]) {
    await page.evaluate(
      ({ id, room, value }) => {
        for (const key of Object.keys(localStorage)) localStorage.setItem(key, value);
        const more = [`read:${id}`, `draft:${id}:${room}`, `unsent:${id}:x`, 'renewed', 'theme'];
        for (const key of more) localStorage.setItem(`parlor-${key}`, value);
      },
      { id, room: room.id, value },
    );
    await page.reload();
    await expect(messages(page).first()).toHaveText(/one/);
    await expect(box(page)).toHaveValue(value === '"x"' ? 'x' : '');
    await expect(unsent(page)).toHaveCount(0);
  }
  await say(page, 'two');
  await expect(messages(page)).toHaveCount(2);
  expect(await texts(page)).toEqual(['one', 'two']);
  expect(faults).toEqual([]);
});

test.describe('with access tokens of three seconds', () => {
  let own: Server;
  test.beforeEach(async () => {
    own = await Server.start({ PARLOR_AUTH__ACCESS_TOKEN_SECONDS: '3' });
  });
  test.afterEach(() => own.remove());

  for (const wrong of [2, -2]) {
    test(`a clock ${wrong} hours off at the sign-in, then corrected, signs nobody out`, async ({
      page,
      context,
    }) => {
      const ada = await Person.register(own.url, 'ada');
      const room = await ada.createRoom('clock');
      await page.addInitScript((ms) => {
        const now = Date.now.bind(Date);
        Date.now = () => now() + (localStorage.getItem('clock') === 'right' ? 0 : ms);
      }, wrong * 3_600_000);
      await signIn(page, ada, roomPath(room));
      await expect(box(page)).toBeVisible();
      await page.evaluate(() => localStorage.setItem('clock', 'right'));
      // Nothing renews the session while the page is away.
      await page.goto('about:blank');
      const access = async () =>
        (await context.cookies(own.url)).some(({ name }) => name.includes('access'));
      await expect.poll(access, { timeout: 15_000 }).toBe(false);
      await page.goto(own.url + roomPath(room));
      await say(page, 'still signed in');
      await expect(messages(page)).toHaveCount(1);
      // And so it goes on, over several lives of the token.
      const renewals = () => own.answered('refresh');
      const before = renewals();
      await expect.poll(renewals, { timeout: 20_000 }).toBeGreaterThan(before + 1);
      await say(page, 'still');
      await expect(messages(page)).toHaveCount(2);
      await expect(page.getByLabel('Username')).toHaveCount(0);
    });
  }
});
