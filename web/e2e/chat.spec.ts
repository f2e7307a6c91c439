// Two people in two browsers: rooms, messages, and what is kept between visits.
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
import { password, unique } from './person.ts';

test('a stranger signs up, opens a room, and talks with another', async ({
  page,
  browser,
  server,
  person,
}) => {
  const username = unique('ada');
  const name = unique('kitchen');
  await page.goto(server.url);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill('too short');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByText('At least 12 characters')).toBeVisible();
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();

  await page.getByRole('button', { name: 'New room' }).last().click();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Title').fill('The Kitchen');
  await page.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await expect(page.getByRole('heading', { name: 'The Kitchen' })).toBeFocused();
  await expect(page.getByText('It is quiet in here')).toBeVisible();

  const bob = await otherPage(browser, await person('bob', 'Bob'));
  await bob.getByLabel('Search rooms').fill(name);
  await bob.getByRole('button', { name: 'Join The Kitchen' }).click();
  await expect(page.getByText('2', { exact: true })).toBeVisible();

  await say(page, 'Is anybody here?');
  await expect(bob.getByText('Is anybody here?')).toBeVisible();
  await say(bob, 'Just me.');
  await expect(page.getByText('Just me.')).toBeVisible();
  expect(await texts(page)).toEqual(['Is anybody here?', 'Just me.']);
  expect(await texts(bob)).toEqual(['Is anybody here?', 'Just me.']);
  await expect(
    bob.getByRole('complementary', { name: 'Members' }).getByText(username, { exact: true }),
  ).toBeVisible();
});

test('a taken name is told at its field, and a wrong password on the page', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  await page.goto('/');
  await page.getByLabel('Username').fill(ada.username);
  await page.getByLabel('Password').fill('not the password at all');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).not.toBeEmpty();
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByLabel('Username')).toHaveAccessibleDescription(/^Somebody else has this/);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

const tongues = [
  '早上好！今天的会议几点开始？',
  'مرحبا، كيف حالك اليوم؟',
  'नमस्ते दुनिया, आप कैसे हैं?',
  'Family 👩‍👩‍👧‍👦, flag 🏳️‍🌈, wave 👋🏽',
  'Use `let x = <T>::new();` & <b>no</b> HTML {@html x}',
  '𝒳'.repeat(4000),
];

test('every script, code, line breaks and 4,000 code points arrive as they were sent', async ({
  page,
  person,
  browser,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('tongues');
  await bob.join(room);
  await signIn(page, ada, roomPath(room));
  const other = await otherPage(browser, bob, roomPath(room));
  for (const [index, text] of tongues.entries()) {
    await say(page, text);
    await expect(messages(other)).toHaveCount(index + 1);
  }
  expect(await ada.bodies(room)).toEqual(tongues);
  const shown = tongues.map((text) => text.replaceAll('`', ''));
  expect(await texts(other)).toEqual(shown);

  await bob.post(
    room,
    'first\r\nsecond\n```js\nif (a < b) {\n  go();\n}\n```\nsee https://example.org/a?b=1.',
  );
  const last = messages(page).last();
  await expect(last.locator('pre')).toHaveText('if (a < b) {\n  go();\n}');
  await expect(last.locator('.body p').first()).toHaveText('first\nsecond', { useInnerText: true });
  const link = last.getByRole('link');
  await expect(link).toHaveAttribute('href', 'https://example.org/a?b=1');
  await expect(link).toHaveAttribute('rel', 'noopener noreferrer nofollow');

  const arabic = page.locator('.message p', { hasText: 'مرحبا' });
  await expect(arabic).toHaveAttribute('dir', 'auto');
  expect(await arabic.evaluate((node) => getComputedStyle(node).direction)).toBe('rtl');

  await box(page).fill('x'.repeat(4001));
  await expect(page.getByText('1 character too many')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Send' })).toBeDisabled();
});

test('a draft survives another room and a reload, and goes when sent', async ({ page, person }) => {
  const ada = await person('ada');
  const one = await ada.createRoom('one');
  const two = await ada.createRoom('two');
  await signIn(page, ada, roomPath(one));
  await box(page).fill('half a thought');
  await page.getByRole('link', { name: two.name }).click();
  await expect(page.getByRole('heading', { name: two.name })).toBeVisible();
  await expect(box(page)).toHaveValue('');
  await expect(page.getByRole('link', { name: one.name })).toContainText('draft');
  await page.reload();
  await page.getByRole('link', { name: one.name }).click();
  await expect(box(page)).toHaveValue('half a thought');
  await box(page).press('Enter');
  await expect(messages(page)).toHaveCount(1);
  await page.reload();
  await expect(messages(page)).toHaveCount(1);
  await expect(box(page)).toHaveValue('');
});

test('Shift+Enter breaks the line, and Enter while composing sends nothing', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('lines');
  await signIn(page, ada, roomPath(room));
  await box(page).fill('one');
  await box(page).press('Shift+Enter');
  await box(page).pressSequentially('two');
  await box(page).dispatchEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true });
  await expect(box(page)).toHaveValue('one\ntwo');
  await box(page).press('Enter');
  await expect(messages(page)).toHaveCount(1);
  expect(await ada.bodies(room)).toEqual(['one\ntwo']);
});

test('an unread room is marked until its end is seen, in every tab', async ({
  page,
  context,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('busy');
  await bob.join(room);
  await signIn(page, ada);
  const other = await context.newPage();
  await other.goto(ada.url);
  const link = page.getByRole('link', { name: room.name });
  await expect(link.first()).toBeVisible();
  await expect(page).not.toHaveTitle(/\(1\)/);
  await bob.post(room, 'news');
  const marked = page.getByRole('navigation').getByRole('link', { name: /unread/ });
  const markedThere = other.getByRole('navigation').getByRole('link', { name: /unread/ });
  await expect(marked).toBeVisible();
  await expect(markedThere).toBeVisible();
  await expect(page).toHaveTitle(/\(1\)/);
  await page.bringToFront();
  await marked.click();
  await expect(page.getByText('New', { exact: true })).toBeVisible();
  await expect(marked).toHaveCount(0);
  await expect(markedThere).toHaveCount(0);
});

test('an owner edits a room, adds a person, and deletes it; both see it at once', async ({
  page,
  browser,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob', 'Bob');
  const room = await ada.createRoom('office', { visibility: 'private' });
  await signIn(page, ada, roomPath(room));
  const other = await otherPage(browser, bob, roomPath(room));
  await expect(other.getByRole('heading', { name: 'No such room' }).first()).toBeVisible();

  await page.getByRole('button', { name: 'Add a person' }).click();
  await page.getByLabel('Username').fill(bob.username);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByText('Bob is in the room now.')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(other.getByRole('heading', { name: room.name })).toBeVisible();

  await page.getByRole('button', { name: 'Room options' }).click();
  await page.getByRole('menuitem', { name: 'Edit room' }).click();
  await page.getByLabel('Title').fill('Head office');
  await page.getByLabel('Topic').fill('Only the two of us');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(other.getByRole('heading', { name: 'Head office' })).toBeVisible();
  await expect(other.getByText('Only the two of us')).toBeVisible();

  await page.getByRole('button', { name: 'Room options' }).click();
  await page.getByRole('menuitem', { name: 'Delete room' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete room' }).click();
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();
  await expect(other.getByText('You are no longer in').first()).toBeVisible();
});

test('a private room is given a name and made public, after a word of warning', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const taken = await ada.createRoom('taken');
  const room = await ada.createRoom('cellar', { visibility: 'private' });
  const name = unique('attic');
  await signIn(page, ada, roomPath(room));
  await page.getByRole('button', { name: 'Room options' }).click();
  await page.getByRole('menuitem', { name: 'Edit room' }).click();
  const field = page.getByLabel('Name', { exact: true });
  await expect(field).toHaveValue(room.name);
  await field.fill('no spaces here');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Only a-z 0-9 - are allowed here.')).toBeVisible();
  await expect(page.getByText('Anyone signed in can then find this room')).toHaveCount(0);
  await page.getByLabel('Public').check();
  await expect(page.getByText('Anyone signed in can then find this room')).toBeVisible();
  await field.fill(taken.name);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText(/public room has this name/)).toBeVisible();
  await field.fill(name);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('heading', { name })).toBeVisible();
  const now = await ada.call<{ name: string; visibility: string }>('GET', `/v1/rooms/${room.id}`);
  expect(now).toMatchObject({ name, visibility: 'public' });
});

test('leaving a room takes it from the list, and its address offers to join again', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('garden');
  await bob.join(room);
  await signIn(page, bob, roomPath(room));
  await page.getByRole('button', { name: 'Room options' }).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Leave room' }).click();
  await expect(page.getByText('You are in no room yet.')).toBeVisible();
  await page.goto(bob.url + roomPath(room));
  await page.getByRole('button', { name: `Join ${room.name}` }).click();
  await expect(box(page)).toBeVisible();
});

test('the last owner is told what to do, makes another an owner by keyboard, and leaves', async ({
  page,
  browser,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob', 'Bob');
  const room = await ada.createRoom('heirs');
  await bob.join(room);
  await signIn(page, ada, roomPath(room));
  const other = await otherPage(browser, bob, roomPath(room));
  await expect(other.getByRole('button', { name: 'What to do with' })).toHaveCount(0);
  const leave = async () => {
    await page.getByRole('button', { name: 'Room options' }).click();
    await page.getByRole('menuitem', { name: 'Leave room' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave room' }).click();
  };
  await leave();
  await expect(page.getByRole('alert')).toHaveText(
    'Make somebody else an owner first, or delete the room.',
  );
  await page.keyboard.press('Escape');

  const turn = async (choice: string) => {
    const opener = page.getByRole('button', { name: 'What to do with Bob' });
    await opener.focus();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('menuitem', { name: choice })).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(opener).toBeFocused();
  };
  await turn('Make owner');
  await expect(page.getByText('Bob is an owner now.')).toBeAttached();
  await expect(page.getByText('owner', { exact: true })).toHaveCount(2);
  await expect(
    other.getByRole('button', { name: `What to do with ${ada.username}` }),
  ).toBeVisible();
  await turn('Make member');
  await expect(page.getByText('owner', { exact: true })).toHaveCount(1);
  await expect(other.getByRole('button', { name: 'What to do with' })).toHaveCount(0);
  await turn('Make owner');
  await expect(page.getByText('owner', { exact: true })).toHaveCount(2);
  await leave();
  await expect(page.getByText('You are in no room yet.')).toBeVisible();
});

test('a new display name shows on old messages, here and elsewhere', async ({
  page,
  browser,
  person,
}) => {
  const ada = await person('ada', 'Ada');
  const bob = await person('bob');
  const room = await ada.createRoom('names');
  await bob.join(room);
  await ada.post(room, 'hello');
  await signIn(page, ada, '/settings');
  const other = await otherPage(browser, bob, roomPath(room));
  await expect(other.locator('.by .name')).toHaveText('Ada');
  await page.getByLabel('Display name').fill('Ada L.');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved')).toBeVisible();
  await expect(other.locator('.by .name')).toHaveText('Ada L.');
});

test('a deep link leads to its room after signing in', async ({ page, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('deep');
  await ada.post(room, 'you found it');
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('you found it')).toBeVisible();
  await expect(page).toHaveURL(ada.url + roomPath(room));
  await page.goto(`${ada.url}/room/${room.name}`);
  await expect(page.getByText('you found it')).toBeVisible();
  await expect(page).toHaveURL(ada.url + roomPath(room));
});
