// Making an account, the settings, and what forms and menus do with the focus.
import { expect, roomPath, signIn, test } from './fixtures.ts';
import { password, unique } from './person.ts';

test('an account is made with a display name, from which the username follows', async ({
  page,
  server,
}) => {
  await page.goto(server.url);
  await expect(page.getByLabel('Username')).toBeFocused();
  await page.getByRole('button', { name: 'Create account' }).click();
  const name = page.getByLabel('Display name');
  await expect(name).toBeFocused();
  await name.fill('Änne Größe');
  await expect(page.getByLabel('Username')).toHaveValue('anne-grosse');
  const username = unique('anne');
  await page.getByLabel('Username').fill(username);
  await name.fill('Anne');
  await expect(page.getByLabel('Username')).toHaveValue(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByText('Anne', { exact: true })).toBeVisible();
  await expect(page.getByText(`@${username}`)).toBeVisible();
});

test('a password can be shown, and Tab still goes from field to field', async ({
  page,
  server,
}) => {
  await page.goto(server.url);
  await expect(page.getByLabel('Username')).toBeFocused();
  await page.keyboard.press('Tab');
  const field = page.getByLabel('Password');
  await expect(field).toBeFocused();
  await page.keyboard.type('secret');
  await expect(field).toHaveAttribute('type', 'password');
  await page.getByRole('button', { name: 'Show password' }).click();
  await expect(field).toHaveAttribute('type', 'text');
  await expect(field).toHaveValue('secret');
  await page.getByRole('button', { name: 'Hide password' }).click();
  await expect(field).toHaveAttribute('type', 'password');
});

test('after a refusal the focus is in the field that is wrong', async ({ page, person }) => {
  const ada = await person('ada');
  await page.goto(ada.url);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByLabel('Username').fill(ada.username);
  await page.getByLabel('Password').fill('short');
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Password')).toBeFocused();
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Username')).toBeFocused();
  await expect(page.getByLabel('Username')).toHaveAttribute('aria-invalid', 'true');
});

test('a room is made by its title; its name follows, and a taken one is told at its field', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const taken = await ada.createRoom('taken');
  await signIn(page, ada);
  const opener = page.getByRole('button', { name: 'New room' }).last();
  await opener.click();
  const title = page.getByLabel('Title');
  const name = page.getByLabel('Name', { exact: true });
  await expect(title).toBeFocused();
  await title.fill('茶室');
  await expect(name).toHaveValue(/^room-[0-9a-f]{6}$/);
  await title.fill('Tea & Coffee');
  await expect(name).toHaveValue('tea-coffee');
  await name.fill(taken.name);
  await title.fill('The tea room');
  await expect(name).toHaveValue(taken.name);
  await page.getByRole('button', { name: 'Create room' }).click();
  await expect(name).toHaveAccessibleDescription(/^Another public room has this name/);
  await expect(name).toBeFocused();
  await name.fill(unique('tea'));
  await page.getByRole('button', { name: 'Create room' }).click();
  await expect(page.getByRole('heading', { name: 'The tea room' }).first()).toBeVisible();
});

test('a menu opens with its first choice, arrows and letters move, Escape goes back', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  await signIn(page, ada, roomPath(room));
  const opener = page.getByRole('button', { name: 'Room options' });
  const item = (name: string) => page.getByRole('menuitem', { name });
  await opener.focus();
  await expect(opener).toHaveAttribute('aria-expanded', 'false');
  await page.keyboard.press('ArrowDown');
  await expect(opener).toHaveAttribute('aria-expanded', 'true');
  await expect(item('Add a person')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(item('Edit room')).toBeFocused();
  await page.keyboard.press('End');
  await expect(item('Delete room')).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(item('Add a person')).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(item('Delete room')).toBeFocused();
  await page.keyboard.press('l');
  await expect(item('Leave room')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(opener).toBeFocused();
  await opener.click();
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog').getByLabel('Username')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(opener).toBeFocused();
});

test('density and clock are choices that stay after signing out', async ({ page, person }) => {
  const ada = await person('ada');
  await signIn(page, ada, '/settings');
  const since = page.getByText(/^Since /).first();
  await page.getByLabel('24-hour').check();
  await page.reload();
  await expect(since).not.toContainText(/[AP]M/);
  await page.getByLabel('12-hour').check();
  await page.getByLabel('Compact').check();
  await expect(page.locator('html')).toHaveAttribute('data-density', 'compact');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Username')).toBeVisible();
  await signIn(page, ada, '/settings');
  await expect(since).toContainText(/[AP]M/);
  await expect(page.getByLabel('Compact')).toBeChecked();
});

test('the favicon says that something is unread', async ({ page, person }) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('kitchen');
  await bob.join(room);
  await signIn(page, ada);
  const icon = page.locator('link[rel="icon"]');
  await expect(icon).toHaveAttribute('href', '/favicon.svg');
  await bob.post(room, 'hello');
  await expect(icon).toHaveAttribute('href', '/favicon-unread.svg');
  const picture = await page.request.get('/favicon-unread.svg');
  expect(picture.headers()['content-type']).toContain('image/svg+xml');
  await page.goto(ada.url + roomPath(room));
  await expect(page.getByText('hello')).toBeVisible();
  await expect(icon).toHaveAttribute('href', '/favicon.svg');
});

test('what loads slowly has grey shapes after 300 ms, and what loads quickly has none', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  await signIn(page, ada);
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route('**/v1/sessions', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${ada.url}/settings`);
  const shapes = page.getByRole('img', { name: 'Loading' });
  await expect(shapes).toBeAttached();
  const seen = () => shapes.evaluate((node) => getComputedStyle(node).opacity);
  await expect.poll(seen).toBe('1');
  const delay = await shapes.evaluate((node) => getComputedStyle(node).animationDelay);
  expect(delay).toBe('0.3s');
  go();
  await expect(page.getByText('this one')).toBeVisible();
  await expect(shapes).toHaveCount(0);
});
