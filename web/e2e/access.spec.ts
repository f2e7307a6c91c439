// Everybody can use every page: by keyboard, on a narrow window, in light and dark, and axe finds nothing.
import { AxeBuilder } from '@axe-core/playwright';
import { type Page } from '@playwright/test';
import { box, expect, messages, roomPath, signIn, test } from './fixtures.ts';
import { password, type ApiRoom, type Person } from './person.ts';

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

async function sound(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`),
  ).toEqual([]);
  const sideways = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  expect(sideways).toBe(0);
}

/** Opens every page and dialog and checks each with axe. */
async function tour(
  page: Page,
  ada: Person,
  full: ApiRoom,
  empty: ApiRoom,
  narrow: boolean,
): Promise<void> {
  await page.goto(ada.url);
  await expect(page.getByLabel('Username')).toBeVisible();
  await sound(page);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByLabel('Password').fill('short');
  await page.getByLabel('Username').focus();
  await expect(page.getByText('At least 12 characters')).toBeVisible();
  await sound(page);

  await signIn(page, ada);
  if (narrow) {
    await expect(page.getByRole('heading', { name: 'Your rooms', level: 1 })).toBeVisible();
    await sound(page);
    await page.goto(`${ada.url}/rooms`);
  }
  await expect(page.getByRole('link', { name: `Open ${full.name}` })).toBeVisible();
  await sound(page);
  await page.getByLabel('Search rooms').fill('zzzzzz');
  await expect(page.getByText('Nothing found')).toBeVisible();
  await sound(page);
  await page.getByRole('button', { name: 'New room' }).last().click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await sound(page);
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { level: 1 }).focus();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
  await sound(page);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('option')).toHaveCount(2);
  await sound(page);
  await page.keyboard.press('Escape');

  await page.goto(ada.url + roomPath(full));
  await expect(messages(page)).toHaveCount(7);
  await sound(page);
  await messages(page).locator('.name').last().click();
  await expect(page.locator('[popover]:popover-open')).toBeVisible();
  await sound(page);
  await page.keyboard.press('Escape');
  await page.route('**/messages', (route) => route.abort());
  await box(page).fill('nowhere to go');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText('Not sent yet')).toBeVisible();
  await sound(page);
  await page.getByRole('button', { name: 'Delete this unsent message' }).click();
  await page.unroute('**/messages');
  const memberMenu = async () => {
    await page.getByRole('button', { name: /^What to do with/ }).click();
    await expect(page.getByRole('menuitem', { name: 'Make owner' })).toBeVisible();
    await sound(page);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('menuitem', { name: 'Make owner' })).toBeHidden();
  };
  if (!narrow) await memberMenu();
  if (narrow) {
    await page.getByRole('button', { name: 'Show members' }).click();
    await expect(page.getByRole('dialog', { name: 'Members' })).toBeVisible();
    await sound(page);
    await memberMenu();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Open menu' }).click();
    await expect(page.getByRole('dialog', { name: 'Your rooms' })).toBeVisible();
    await sound(page);
    await page.keyboard.press('Escape');
  }
  for (const choice of ['Add a person', 'Edit room', 'Leave room', 'Delete room']) {
    await page.getByRole('button', { name: 'Room options' }).click();
    if (choice === 'Add a person') await sound(page);
    await page.locator('[popover]:popover-open').getByRole('menuitem', { name: choice }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await sound(page);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
  }
  await page.goto(ada.url + roomPath(empty));
  await expect(page.getByText('It is quiet in here')).toBeVisible();
  await sound(page);
  await page.goto(`${ada.url}/settings`);
  await expect(page.getByText('this one')).toBeVisible();
  await sound(page);
  await page.goto(`${ada.url}/room/no-such-room`);
  await expect(page.getByRole('heading', { name: 'No such room' }).first()).toBeVisible();
  await sound(page);
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 360]) {
    test(`axe finds nothing and nothing scrolls sideways: ${colorScheme}, ${width} px`, async ({
      browser,
      person,
    }) => {
      test.setTimeout(180_000);
      const ada = await person('ada', 'Ada Lovelace the First of Her Name and Title, Countess');
      const full = await ada.createRoom('full', {
        topic: 'A topic that is rather long. '.repeat(8).trim(),
      });
      const empty = await ada.createRoom('empty');
      for (const body of [
        'Hello',
        'wordwithoutend'.repeat(40),
        '```\ncode\n```',
        `# Head\n> quote\n- [x] [task](https://example.org)\n\n|${'head|'.repeat(30)}\n|${'-|'.repeat(30)}\n\n\`\`\`rust\nfn a() -> u8 { 1 } // ${'wide '.repeat(60)}\n${'\\n'.repeat(30)}\n\`\`\``,
        'https://example.org/'.padEnd(300, 'x'),
      ]) {
        await ada.post(full, body);
      }
      const bob = await person('bob');
      await bob.join(full);
      await bob.post(full, 'Hello `back`');
      await bob.post(full, 'مرحبا');
      const context = await browser.newContext({
        colorScheme,
        viewport: { width, height: 740 },
        reducedMotion: 'reduce',
      });
      await tour(await context.newPage(), ada, full, empty, width < 800);
      await context.close();
    });
  }
}

test('the first load is at most 60 KB compressed', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByLabel('Username')).toBeVisible();
  const loaded = await page.evaluate(() =>
    (['navigation', 'resource'] as const)
      .flatMap((kind) => performance.getEntriesByType(kind) as PerformanceResourceTiming[])
      .filter(({ name }) => !name.includes('/v1/'))
      .map(({ name, encodedBodySize }) => ({ name, encodedBodySize })),
  );
  // The page, its script and its style must be counted, otherwise the sum would be too small to mean anything.
  expect(loaded.length).toBeGreaterThanOrEqual(3);
  const sum = loaded.reduce((bytes, { encodedBodySize }) => bytes + encodedBodySize, 0);
  expect(sum).toBeGreaterThan(10_000);
  expect(sum).toBeLessThanOrEqual(60 * 1024);
});

test('the theme switch wins over the system, and is kept', async ({ page, person }) => {
  const ada = await person('ada');
  await page.emulateMedia({ colorScheme: 'light' });
  await signIn(page, ada, '/settings');
  const ground = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByLabel('Dark').check();
  await expect.poll(ground).not.toBe(light);
  await page.reload();
  await expect(page.getByLabel('Dark')).toBeChecked();
  expect(await ground()).not.toBe(light);
});

test('by keyboard alone: sign in, open a room, write, read, switch', async ({ page, person }) => {
  const ada = await person('ada');
  const other = await ada.createRoom('other');
  const press = (...keys: string[]) =>
    keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  await page.goto('/');
  await expect(page.getByLabel('Username')).toBeVisible();
  await expect(page.getByLabel('Username')).toBeFocused();
  await page.keyboard.type(ada.username);
  await press('Tab');
  await page.keyboard.type(password);
  await press('Enter');
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();

  await page.reload();
  await expect(page.getByRole('heading', { name: 'Rooms', exact: true })).toBeVisible();
  await press('Tab');
  await expect(page.getByRole('button', { name: 'Skip to content' })).toBeFocused();
  await press('Enter', 'Tab');
  await expect(page.getByRole('button', { name: 'New room' }).last()).toBeFocused();
  await press('Enter');
  await expect(page.getByRole('dialog')).toBeVisible();
  await press('Escape');
  await expect(page.getByRole('button', { name: 'New room' }).last()).toBeFocused();

  await press('Control+k');
  await page.keyboard.type(other.name.slice(0, 5));
  await press('Enter');
  await expect(page.getByRole('heading', { name: other.name })).toBeFocused();
  // Members, options, the log, the box: in this order.
  await press('Tab', 'Tab', 'Tab');
  await expect(page.getByRole('log')).toBeFocused();
  await press('Tab');
  await expect(box(page)).toBeFocused();
  await page.keyboard.type('see https://example.org');
  await press('Enter');
  await page.keyboard.type('second');
  await press('Enter');
  await expect(messages(page)).toHaveCount(2);
  await expect(box(page)).toBeFocused();

  await press('Shift+Tab');
  await expect(page.getByRole('log')).toBeFocused();
  await press('ArrowUp');
  await expect(messages(page).nth(1)).toBeFocused();
  await press('ArrowUp');
  await expect(messages(page).nth(0)).toBeFocused();
  await press('Tab');
  await expect(messages(page).nth(0).getByRole('button', { name: ada.username })).toBeFocused();
  await press('Tab');
  await expect(page.getByRole('link', { name: 'https://example.org' })).toBeFocused();
});
