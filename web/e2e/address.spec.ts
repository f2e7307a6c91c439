// A page at an address that the server does not know: a name that leads to it, but stands nowhere in its configuration.
import { expect, test } from './fixtures.ts';
import { password } from './person.ts';

/** The configuration of the runner has the browser find the server under this name. */
const at = (url: string) => `http://parlor.example:${new URL(url).port}`;

for (const width of [1280, 360]) {
  test(`at ${width} px the sign-in says which key must be set`, async ({ browser, person }) => {
    const ada = await person('ada');
    const page = await browser.newPage({ viewport: { width, height: 800 } });
    await page.goto(at(ada.url));
    await page.getByLabel('Username').fill(ada.username);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('server.public_url');
    await expect(alert).toContainText(at(ada.url));
    await expect(page.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
    expect(await page.context().cookies()).toEqual([]);
    const overflow = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    expect(overflow).toBe(0);
    await page.close();
  });
}

test('a page that comes with cookies from there says it at once', async ({ browser, server }) => {
  const page = await browser.newPage();
  const { port } = new URL(server.url);
  const url = at(server.url);
  await page.context().addCookies([{ name: `parlor_access_${port}`, value: 'x', url }]);
  const me = page.waitForResponse(/\/v1\/users\/me$/);
  await page.goto(url);
  expect((await me).status()).toBe(403);
  await expect(page.getByLabel('Username')).toBeVisible();
  await expect(page.getByRole('alert')).toContainText('server.public_url');
  await page.close();
});
