// How messages look: what their Markdown becomes in the page, code with its colours, and accents that stay in their row.
import type { Page } from '@playwright/test';
import { expect, messages, roomPath, signIn, test } from './fixtures.ts';
import type { ApiRoom, Person } from './person.ts';

/** Posts a message and gives its body in the page. */
async function posted(page: Page, ada: Person, room: ApiRoom, body: string) {
  const before = await messages(page).count();
  await ada.post(room, body);
  await expect(messages(page)).toHaveCount(before + 1);
  return messages(page).nth(before).locator('.body');
}

test.describe('a message', () => {
  let room: ApiRoom;
  let ada: Person;

  test.beforeEach(async ({ page, person }) => {
    ada = await person('ada', 'Ada');
    room = await ada.createRoom('text');
    await ada.post(room, 'Hello');
    await signIn(page, ada, roomPath(room));
    await expect(messages(page)).toHaveCount(1);
  });

  test('shows marks, quotes, lists, tasks, tables, headings and rules as elements', async ({
    page,
  }) => {
    const body = await posted(
      page,
      ada,
      room,
      [
        '# Plan\n**bold** *italic* ~~struck~~ `a` and `b`\n> quoted\nmine\n\n---\n',
        '1. one\n2. two\n   - inner\n\n- [x] done\n- [ ] open\n',
        '| a | b |\n| - | -: |\n| 1 | 2 |',
      ].join('\n'),
    );
    await expect(body.locator('strong')).toHaveText('bold');
    await expect(body.locator('em')).toHaveText('italic');
    await expect(body.locator('del')).toHaveText('struck');
    await expect(body.locator('code')).toHaveText(['a', 'b']);
    await expect(body.locator('blockquote')).toHaveText('quoted');
    await expect(body.locator('ol > li')).toHaveCount(2);
    await expect(body.locator('ol ul li')).toHaveText('inner');
    await expect(body.getByRole('img', { name: 'done', exact: true })).toHaveCount(1);
    await expect(body.getByRole('img', { name: 'not done' })).toHaveCount(1);
    await expect(body.getByRole('cell')).toHaveText(['1', '2']);
    await expect(body.locator('hr')).toHaveCount(1);
    await expect(body.getByText('Plan')).toHaveCSS('font-weight', '700');
    // It is no heading of the page.
    await expect(body.getByRole('heading')).toHaveCount(0);
    expect(await ada.bodies(room)).toContainEqual(expect.stringContaining('# Plan\n**bold**'));
  });

  test('keeps its lines and spaces as they were typed', async ({ page }) => {
    const typed = 'one\n  two  spaces\n\n\nthree';
    const body = await posted(page, ada, room, typed);
    await expect(body.locator('p')).toHaveCount(1);
    expect(await body.locator('p').evaluate((node) => node.textContent)).toBe(typed);
    await expect(body.locator('p')).toHaveCSS('white-space', 'pre-wrap');
  });

  test('never becomes HTML, and links lead only to the web or to mail', async ({ page }) => {
    const hostile =
      '<img src=x onerror=alert(1)><script>alert(1)</script> [a](javascript:alert(1))';
    const body = await posted(page, ada, room, hostile);
    await expect(body).toHaveText(hostile);
    await expect(body.locator('a, img, script')).toHaveCount(0);
    const links = await posted(
      page,
      ada,
      room,
      'see https://example.com/a。然后 HTTPS://Example.org/x www.example.org [here](https://example.org/there)',
    );
    await expect(links.getByRole('link')).toHaveText([
      'https://example.com/a',
      'HTTPS://Example.org/x',
      'www.example.org',
      'here',
    ]);
    // The address behind other words is shown on hover.
    await expect(links.getByRole('link').last()).toHaveAttribute(
      'title',
      'https://example.org/there',
    );
  });

  test('shows one to three emoji alone in large', async ({ page }) => {
    const size = async (body: string) => {
      const shown = await posted(page, ada, room, body);
      return parseFloat(await shown.evaluate((node) => getComputedStyle(node).fontSize));
    };
    const usual = await size('well 👍');
    expect(await size('👍🏽 ❤️')).toBeGreaterThan(2 * usual);
    expect(await size('👍👍👍👍')).toBe(usual);
  });

  test('keeps 100 stacked accents in its own row', async ({ page }) => {
    await posted(page, ada, room, 'beside');
    await page.mouse.move(0, 0);
    const picture = (at: number) => messages(page).nth(at).screenshot();
    const before = await picture(1);
    await posted(page, ada, room, `a${'\u0301'.repeat(100)}b${'\u0323'.repeat(100)}`);
    expect((await picture(1)).equals(before)).toBe(true);
    await posted(page, ada, room, 'beside');
    expect((await picture(3)).equals(before)).toBe(true);
  });

  test('shows code in colour, copies it, and opens what is longer than 400 px', async ({
    page,
    context,
  }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const lines = Array.from({ length: 40 }, (_, n) => `let x${n} = "a<b>"; // ${n}`).join('\n');
    const loaded = (name: RegExp) =>
      page.evaluate(
        (source) =>
          performance
            .getEntriesByType('resource')
            .filter((entry) => RegExp(source).test(entry.name)).length,
        name.source,
      );
    const plain = await posted(page, ada, room, '```\nno language\n```');
    await expect(plain.locator('pre')).toHaveText('no language');
    expect(await loaded(/highlight/)).toBe(0);

    const body = await posted(page, ada, room, `\`\`\`rust\n${lines}\n\`\`\``);
    const code = body.locator('pre');
    await expect(code.locator('.keyword').first()).toHaveText('let');
    await expect(code.locator('.string').first()).toHaveText('"a<b>"');
    await expect(code.locator('.comment').first()).toHaveText('// 0');
    expect(await loaded(/highlight/)).toBeGreaterThan(0);
    await expect(code).toHaveText(lines, { useInnerText: true });

    await body.getByRole('button', { name: 'Copy code' }).click();
    await expect(body.getByRole('status')).toHaveText('Copied');
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(lines);

    const height = async () => (await code.boundingBox())!.height;
    expect(await height()).toBe(400);
    await body.getByRole('button', { name: 'Show all' }).click();
    expect(await height()).toBeGreaterThan(500);
    await body.getByRole('button', { name: 'Show less' }).click();
    expect(await height()).toBe(400);
  });

  test('scrolls wide code and tables sideways within itself', async ({ page }) => {
    await page.setViewportSize({ width: 360, height: 740 });
    // The members' panel has become a drawer.
    await page.keyboard.press('Escape');
    const wide = 'wide '.repeat(80).trim();
    const body = await posted(
      page,
      ada,
      room,
      `\`\`\`\n${wide}\n\`\`\`\n|${'head of a column|'.repeat(12)}\n|${'-|'.repeat(12)}\n|${'cell|'.repeat(12)}`,
    );
    for (const part of [body.locator('pre'), body.getByRole('group', { name: 'Table' })]) {
      await part.hover();
      await page.mouse.wheel(200, 0);
      await expect.poll(() => part.evaluate((node) => node.scrollLeft)).toBeGreaterThan(100);
    }
    expect(
      await page.evaluate(() => document.documentElement.scrollWidth - document.body.clientWidth),
    ).toBe(0);
  });
});
