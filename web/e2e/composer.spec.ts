// Writing a message: keys, the bar of marks, lists and fences that go on, the preview, completions and the picker of
// emoji. What is typed is what is sent.
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { box, expect, messages, roomPath, signIn, test } from './fixtures.ts';
import type { ApiRoom, Person } from './person.ts';

let ada: Person;
let room: ApiRoom;

test.beforeEach(async ({ page, person }) => {
  ada = await person('ada', 'Ada Lovelace');
  room = await ada.createRoom('desk');
  await signIn(page, ada, roomPath(room));
  await box(page).focus();
});

/** Selects this text in the box. */
const select = (page: Page, text: string) =>
  box(page).evaluate((area: HTMLTextAreaElement, wanted) => {
    const at = area.value.indexOf(wanted);
    area.focus();
    area.setSelectionRange(at, at + wanted.length);
  }, text);

const emojiLoaded = (page: Page) =>
  page.evaluate(
    () =>
      performance.getEntriesByType('resource').filter(({ name }) => /emoji-(en|zh)/.test(name))
        .length,
  );

test('Ctrl+B, I and K mark what is selected, and undo takes it back', async ({ page }) => {
  await page.keyboard.type('make it so');
  await select(page, 'it');
  await page.keyboard.press('Control+b');
  await expect(box(page)).toHaveValue('make **it** so');
  await page.keyboard.press('Control+i');
  await expect(box(page)).toHaveValue('make ***it*** so');
  await page.keyboard.press('Control+b');
  await expect(box(page)).toHaveValue('make *it* so');
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await expect(box(page)).toHaveValue('make it so');
  await select(page, 'so');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('https://example.org');
  await expect(box(page)).toHaveValue('make it [so](https://example.org)');
  // Without a selection Ctrl+K goes to another room.
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog')).toBeVisible();
});

test('lists and fences go on with Enter, and all is sent as it was typed', async ({ page }) => {
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await page.keyboard.type('- [x] one');
  await press('Enter');
  await page.keyboard.type('two');
  await press('Enter');
  await expect(box(page)).toHaveValue('- [x] one\n- [ ] two\n- [ ] ');
  await press('Enter');
  await expect(box(page)).toHaveValue('- [x] one\n- [ ] two\n');
  await press('Enter');
  await expect(messages(page)).toHaveCount(1);
  await expect(box(page)).toHaveValue('');

  await page.keyboard.type('```js');
  await press('Enter');
  await page.keyboard.type('  a();');
  await press('Enter');
  await page.keyboard.type('b();');
  await press('Enter', 'Home');
  await page.keyboard.type('```');
  await press('Delete', 'Delete', 'Enter');
  await expect(messages(page)).toHaveCount(2);
  // Shift+Enter breaks a line anywhere, and Ctrl+Enter sends from anywhere.
  await page.keyboard.type('1. a');
  await press('Shift+Enter');
  await page.keyboard.type('- b');
  await press('Control+Enter');
  await expect(messages(page)).toHaveCount(3);
  expect(await ada.bodies(room)).toEqual([
    '- [x] one\n- [ ] two',
    '```js\n  a();\n  b();\n```',
    '1. a\n- b',
  ]);
});

test('the bar has the same tools, can be hidden, and stays so', async ({ page }) => {
  const bar = page.getByRole('toolbar', { name: 'Formatting' });
  await page.keyboard.type('word');
  await select(page, 'word');
  await bar.getByRole('button', { name: 'Bold' }).click();
  await expect(box(page)).toHaveValue('**word**');
  await expect(box(page)).toBeFocused();
  await bar.getByRole('button', { name: 'Quote' }).click();
  await expect(box(page)).toHaveValue('> **word**');
  // One stop of the Tab key, arrows within.
  await page.getByRole('button', { name: 'Send' }).focus();
  await page.keyboard.press('Tab');
  await expect(bar.getByRole('button', { name: 'Bold' })).toBeFocused();
  await page.keyboard.press('ArrowLeft');
  await expect(bar.getByRole('button', { name: 'Preview' })).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await expect(bar.getByRole('button', { name: 'Italic' })).toBeFocused();
  const toggle = page.getByRole('button', { name: 'Formatting' });
  await expect(toggle).toHaveAttribute('aria-pressed', 'true');
  await toggle.click();
  await expect(bar).toHaveCount(0);
  await page.reload();
  await expect(box(page)).toBeVisible();
  await expect(bar).toHaveCount(0);
});

test('the preview shows the message as others will see it, while it is written', async ({
  page,
}) => {
  await page.getByRole('button', { name: 'Preview' }).click();
  const preview = page.getByRole('region', { name: 'Preview' });
  await expect(preview).toContainText('as others will see it');
  await box(page).fill('**bold** and `code`');
  await expect(preview.locator('strong')).toHaveText('bold');
  await expect(preview.locator('code')).toHaveText('code');
  await box(page).press('Enter');
  await expect(messages(page).locator('strong')).toHaveText('bold');
});

test('an address pasted over a selection makes a link', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.keyboard.type('see the plan');
  await page.evaluate(() => navigator.clipboard.writeText('https://example.org/plan'));
  await select(page, 'the plan');
  await page.keyboard.press('Control+v');
  await expect(box(page)).toHaveValue('see [the plan](https://example.org/plan)');
  await page.keyboard.press('Control+v');
  await expect(box(page)).toHaveValue(
    'see [the plan](https://example.org/plan)https://example.org/plan',
  );
});

test('a colon and two letters complete emoji, from a list that is loaded then', async ({
  page,
}) => {
  await page.keyboard.type('at 10:30 ');
  expect(await emojiLoaded(page)).toBe(0);
  await page.keyboard.type(':tad');
  const list = page.getByRole('listbox', { name: 'Emoji' });
  await expect(list.getByRole('option').first()).toContainText(':tada:');
  expect(await emojiLoaded(page)).toBe(1);
  const first = await list.getByRole('option').first().getAttribute('id');
  await expect(box(page)).toHaveAttribute('aria-activedescendant', first!);
  await expect(box(page)).toHaveAttribute('aria-controls', (await list.getAttribute('id'))!);
  await page.keyboard.press('Enter');
  await expect(box(page)).toHaveValue('at 10:30 🎉 ');
  await expect(list).toHaveCount(0);
  await page.keyboard.type(':smi');
  await page.keyboard.press('ArrowDown');
  await expect(list.getByRole('option').nth(1)).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Escape');
  await expect(list).toHaveCount(0);
  await page.keyboard.type('l');
  await expect(list).toHaveCount(0);
  // A word that was not completed is sent as it was typed.
  await page.keyboard.press('Enter');
  await expect(messages(page)).toHaveCount(1);
  expect(await ada.bodies(room)).toEqual(['at 10:30 🎉 :smil']);
});

test('@ completes members and # rooms', async ({ page, person }) => {
  const bob = await person('bob', 'Bob the Builder');
  await bob.join(room);
  await expect(page.getByText('Bob the Builder')).toBeVisible();
  await page.keyboard.type('ask @buil');
  const people = page.getByRole('listbox', { name: 'Members' });
  await expect(people.getByRole('option')).toHaveText([/Bob the Builder/]);
  await page.keyboard.press('Tab');
  await expect(box(page)).toHaveValue(`ask @${bob.username} `);
  await page.keyboard.type('in #desk');
  const rooms = page.getByRole('listbox', { name: 'Your rooms' });
  await rooms.getByRole('option').first().click();
  await expect(box(page)).toHaveValue(`ask @${bob.username} in #${room.name} `);
  await expect(box(page)).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.type('@b');
  await expect(people.getByRole('option')).toHaveCount(1);
});

test('Enter while composing neither chooses, nor goes on, nor sends', async ({ page }) => {
  const composing = () =>
    box(page).dispatchEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true });
  await page.keyboard.type('- @ad');
  await expect(page.getByRole('option')).toHaveCount(1);
  await composing();
  await expect(box(page)).toHaveValue('- @ad');
  await page.keyboard.press('Escape');
  await composing();
  await expect(box(page)).toHaveValue('- @ad');
  await expect(messages(page)).toHaveCount(0);
});

test('on a touch screen Enter breaks the line, and the button sends', async ({ browser }) => {
  const context = await browser.newContext({
    hasTouch: true,
    isMobile: true,
    viewport: { width: 360, height: 740 },
  });
  const page = await context.newPage();
  await signIn(page, ada, roomPath(room));
  await box(page).tap();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await page.keyboard.type('two');
  await expect(box(page)).toHaveValue('one\ntwo');
  await page.getByRole('button', { name: 'Send' }).tap();
  await expect(messages(page)).toHaveCount(1);
  expect(await ada.bodies(room)).toEqual(['one\ntwo']);
  await context.close();
});

test('the picker finds emoji, has skin tones, and remembers what was used', async ({ page }) => {
  await page.keyboard.type('hi ');
  const open = () => page.getByRole('button', { name: 'Choose an emoji' }).click();
  const picker = page.getByRole('dialog', { name: 'Choose an emoji' });
  await open();
  await expect(picker.getByRole('searchbox')).toBeFocused();
  await picker.getByRole('combobox', { name: 'Skin tone' }).selectOption('3');
  await picker.getByRole('searchbox').fill('wave');
  await picker.getByRole('button', { name: 'waving hand' }).click();
  await expect(picker).toHaveCount(0);
  await expect(box(page)).toHaveValue('hi 👋🏽');
  await expect(box(page)).toBeFocused();

  await page.reload();
  await box(page).focus();
  await open();
  await expect(picker.getByRole('heading', { name: 'Used last' })).toBeVisible();
  await expect(picker.getByRole('button', { name: 'waving hand' })).toHaveText('👋🏽');
  await page.keyboard.type('rocket');
  await expect(picker.getByRole('button', { name: 'rocket' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(picker.getByRole('button', { name: 'rocket' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(box(page)).toHaveValue('hi 👋🏽🚀');
  await open();
  await expect(picker.getByRole('searchbox')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(picker).toHaveCount(0);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing in the parts of the composer: ${colorScheme}, 360 px`, async ({
    browser,
  }) => {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 360, height: 740 },
    });
    const page = await context.newPage();
    const sound = async () => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`)).toEqual(
        [],
      );
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    };
    await signIn(page, ada, roomPath(room));
    await page.getByRole('button', { name: 'Formatting' }).click();
    await page.getByRole('button', { name: 'Preview' }).click();
    await sound();
    await box(page).fill('- **a** `b`\n\n```js\nlet a = "b"; // c\n```');
    await expect(page.locator('.preview .keyword')).toBeVisible();
    await sound();
    await box(page).fill('');
    await box(page).pressSequentially('@ad');
    await expect(page.getByRole('option')).toHaveCount(1);
    await sound();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Choose an emoji' }).click();
    await expect(page.getByRole('button', { name: 'grinning face', exact: true })).toBeVisible();
    await sound();
    await context.close();
  });
}
