// Sessions: renewed without the user noticing, ended by another device, signed out in every tab.
import { box, expect, messages, roomPath, say, signIn, test } from './fixtures.ts';
import { Person, password } from './person.ts';
import { Server } from './server.ts';

test.describe('with access tokens of three seconds', () => {
  let own: Server;
  test.beforeEach(async () => {
    own = await Server.start({ PARLOR_AUTH__ACCESS_TOKEN_SECONDS: '3' });
  });
  test.afterEach(() => own.remove());

  test('a session is renewed in silence, by one tab for all', async ({ page, context }) => {
    const ada = await Person.register(own.url, 'ada');
    const room = await ada.createRoom('renewal');
    const renewals: number[] = [];
    context.on('request', (request) => {
      if (request.url().endsWith('/v1/refresh')) renewals.push(Date.now());
    });
    await signIn(page, ada, roomPath(room));
    const other = await context.newPage();
    await other.goto(own.url + roomPath(room));
    await expect(box(other)).toBeVisible();
    await expect.poll(() => renewals.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    await say(page, 'still here');
    await expect(messages(other)).toHaveCount(1);
    await expect(page.getByText('Connection lost.')).toHaveCount(0);
    // If each tab renewed for itself, there would be two renewals within one token's life.
    for (const [index, at] of renewals.slice(1).entries()) {
      expect(at - renewals[index]!).toBeGreaterThan(1_500);
    }
  });

  test('a page that slept past its token goes on without a sign-in', async ({ page, context }) => {
    const ada = await Person.register(own.url, 'ada');
    const room = await ada.createRoom('sleep');
    await signIn(page, ada, roomPath(room));
    await expect(box(page)).toBeVisible();
    // Leaves the page until the access cookie has expired, so that nothing can renew it.
    await page.goto('about:blank');
    await expect
      .poll(
        async () => (await context.cookies(own.url)).some(({ name }) => name.includes('access')),
        {
          timeout: 15_000,
        },
      )
      .toBe(false);
    await page.goto(own.url + roomPath(room));
    await say(page, 'awake again');
    await expect(messages(page)).toHaveCount(1);
  });
});

test('what the server says of itself is what people see: its name, its shortest password', async ({
  page,
}) => {
  const own = await Server.start({
    PARLOR_SERVER__NAME: 'The Long Table',
    PARLOR_ACCOUNTS__MIN_PASSWORD: '20',
  });
  try {
    await page.goto(own.url);
    await expect(page.getByText('The Long Table')).toBeVisible();
    await expect(page).toHaveTitle('Sign in · The Long Table');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByLabel('Username').fill('ada');
    await page.getByLabel('Password').fill('nineteen characters');
    await page.getByRole('button', { name: 'Create account' }).click();
    await expect(page.getByText('At least 20 characters, please: 19 so far.')).toBeVisible();
    await page.getByLabel('Password').fill('as many as are wanted');
    await page.getByRole('button', { name: 'Create account' }).click();
    await expect(page.getByRole('complementary').getByText('The Long Table')).toBeVisible();
    await expect(page).toHaveTitle('Rooms · The Long Table');
    await page.goto(`${own.url}/settings`);
    await expect(page.getByText('20 to 128 characters.')).toBeVisible();
  } finally {
    await own.remove();
  }
});

test('a session ended elsewhere leads to the sign-in page, which says so', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('ended');
  await signIn(page, ada, roomPath(room));
  await expect(box(page)).toBeVisible();
  await ada.endAllSessions();
  await expect(page.getByText('You have been signed out.')).toBeVisible();
  await page.getByLabel('Username').fill(ada.username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(box(page)).toBeVisible();
});

test('signing out signs out every tab and leaves nothing of the person behind', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('bye');
  await signIn(page, ada, roomPath(room));
  await box(page).fill('a draft nobody should find');
  const other = await context.newPage();
  await other.goto(`${ada.url}/settings`);
  await other.getByRole('button', { name: 'Sign out' }).click();
  for (const tab of [page, other]) await expect(tab.getByLabel('Username')).toBeVisible();
  await expect(page.getByText('You have been signed out.')).toHaveCount(0);
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain('a draft nobody should find');
  await page.reload();
  await expect(page.getByLabel('Username')).toBeVisible();
});

test('a new password ends the other sessions, and one session can be ended alone', async ({
  page,
  browser,
  person,
}) => {
  const ada = await person('ada');
  await signIn(page, ada, '/settings');
  const elsewhere = await browser.newContext();
  const other = await elsewhere.newPage();
  await signIn(other, ada);
  await page.reload();
  await expect(page.getByRole('button', { name: /^End session/ })).toHaveCount(2);
  await page.getByRole('button', { name: /^End session of Chrome/ }).click();
  await expect(page.getByRole('button', { name: /^End session/ })).toHaveCount(1);
  await expect(other.getByText('You have been signed out.')).toBeVisible();

  await page.getByLabel('Current password').fill('this is not it, is it');
  await page.getByLabel('New password').fill('another long password');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByText('Your password is changed.')).toHaveCount(0);
  await page.getByLabel('Current password').fill(password);
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByText('Your password is changed.')).toBeVisible();
  await expect(page.getByRole('button', { name: /^End session/ })).toHaveCount(0);
});
