// The page speaks the reader's language, chosen by the browser or in the settings, and only that one is loaded.
import { build } from 'vite';
import { type Browser, type Page } from '@playwright/test';
import { expect, roomPath, signIn, test, watch } from './fixtures.ts';
import { password, type Person } from './person.ts';

async function pageIn(browser: Browser, locale: string, width = 1200): Promise<Page> {
  const context = await browser.newContext({ locale, viewport: { width, height: 800 } });
  return context.newPage();
}

async function signInChinese(page: Page, person: Person, path = '/'): Promise<void> {
  await page.goto(person.url + path);
  await page.getByLabel('用户名').fill(person.username);
  await page.getByLabel('密码').first().fill(password);
  await page.getByRole('button', { name: '登录' }).click();
  await expect(page.getByLabel('用户名')).toHaveCount(0);
}

test('the browser chooses the language, and no other is loaded', async ({ browser, server }) => {
  for (const [locale, own, other, word] of [
    ['zh-CN', 'zh', 'en', '登录'],
    ['en-GB', 'en', 'zh', 'Sign in'],
    ['pl-PL', 'en', 'zh', 'Sign in'],
  ] as const) {
    const page = await pageIn(browser, locale);
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    await page.goto(server.url);
    await expect(page.getByRole('button', { name: word })).toBeVisible();
    const texts = (code: string) => loaded.filter((path) => path.startsWith(`/assets/${code}-`));
    expect(texts(own)).toHaveLength(1);
    expect(texts(other)).toHaveLength(0);
    const root = page.locator('html');
    await expect(root).toHaveAttribute('lang', own === 'zh' ? 'zh-Hans' : 'en');
    await expect(root).toHaveAttribute('dir', 'ltr');
    await page.context().close();
  }
});

test('the settings change the language at once, and keep it', async ({ page, person }) => {
  await signIn(page, await person('ada'), '/settings');
  await page.getByLabel('Language').selectOption('简体中文');
  await expect(page.getByRole('heading', { name: '语言' })).toBeVisible();
  await expect(page.getByLabel('语言')).toBeFocused();
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-Hans');
  await page.reload();
  await expect(page.getByLabel('语言')).toHaveValue('zh');
  await page.getByRole('button', { name: '退出登录' }).click();
  await expect(page.getByRole('heading', { name: '欢迎回来' })).toBeVisible();
});

test('a language that cannot be loaded leaves the page as it is, and says so', async ({
  page,
  person,
}) => {
  await signIn(page, await person('ada'), '/settings');
  await page.route('**/assets/zh-*', (route) => route.abort());
  await page.getByLabel('Language').selectOption('简体中文');
  await expect(page.getByText('The server does not answer')).toBeVisible();
  await expect(page.getByLabel('Language')).toHaveValue('system');
});

test('dates and numbers are written in the language of the text', async ({ browser, person }) => {
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen');
  await ada.post(room, 'hello');
  const page = await pageIn(browser, 'zh-CN');
  await signInChinese(page, ada, roomPath(room));
  await expect(page.getByText('今天')).toBeVisible();
  const time = page.locator('.message time').first();
  await time.hover();
  await expect(time).toHaveAttribute('title', /\d{4}年\d+月\d+日/);
  await page.goto(`${ada.url}/`);
  await expect(page.getByText('1 位成员').first()).toBeVisible();
  await page.context().close();
});

test('what the server refuses is told in the language of the reader', async ({
  browser,
  person,
}) => {
  const ada = await person('ada');
  const page = await pageIn(browser, 'zh-CN');
  await page.goto(ada.url);
  await page.getByLabel('用户名').fill(ada.username);
  await page.getByLabel('密码').first().fill('not the password');
  await page.getByRole('button', { name: '登录' }).click();
  await expect(page.getByText('用户名和密码不匹配。')).toBeVisible();

  await page.getByRole('button', { name: '创建账号' }).click();
  await page.getByLabel('密码').first().fill(password);
  await page.getByRole('button', { name: '创建账号' }).click();
  await expect(page.getByLabel('用户名')).toHaveAccessibleDescription(
    '这个用户名已经有人用了，请换一个。',
  );
  await page.getByLabel('用户名').fill('no spaces here');
  await page.getByRole('button', { name: '创建账号' }).click();
  await expect(page.getByLabel('用户名')).toHaveAccessibleDescription('这里只能用 a-z 0-9 _ -。');
  await page.context().close();
});

test('a page that runs from right to left is the mirror image, and nothing scrolls sideways', async ({
  browser,
  person,
}) => {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, lib: { entry: 'e2e/arabic.ts', formats: ['es'] } },
  });
  const [{ output }] = result as unknown as [{ output: [{ code: string }] }];
  const ada = await person('ada');
  const room = await ada.createRoom('kitchen', { topic: 'a topic' });
  await ada.post(room, 'مرحبا');
  for (const width of [1200, 360]) {
    const page = await pageIn(browser, 'en-US', width);
    const faults = watch(page);
    await page.route('**/assets/en-*.js', (route) =>
      route.fulfill({ contentType: 'text/javascript', body: output[0].code }),
    );
    const still = async () =>
      expect(
        await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        ),
      ).toBe(0);
    await page.goto(ada.url + roomPath(room));
    await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
    await still();
    await page.getByLabel('اسم المستخدم').fill(ada.username);
    await page.getByLabel('كلمة المرور').first().fill(password);
    await page.getByRole('button', { name: 'تسجيل الدخول' }).click();
    const log = page.getByRole('log');
    await expect(log).toBeVisible();
    await still();
    const left = async (name: string) =>
      (await page.getByRole('complementary', { name }).boundingBox())!.x;
    if (width > 1100) {
      // The rooms are at the right of the messages, the members at their left.
      const middle = (await log.boundingBox())!.x;
      expect(await left('غرفك')).toBeGreaterThan(middle);
      expect(await left('الأعضاء')).toBeLessThan(middle);
    } else {
      await page.getByRole('button', { name: 'افتح القائمة' }).click();
      const drawer = page.getByRole('dialog', { name: 'غرفك' });
      await expect
        .poll(async () => {
          const box = (await drawer.boundingBox())!;
          return box.x + box.width;
        })
        .toBe(width);
    }
    await page.goto(`${ada.url}/settings`);
    await expect(page.getByLabel('اللغة')).toBeVisible();
    await still();
    expect(faults).toEqual([]);
    await page.context().close();
  }
});
