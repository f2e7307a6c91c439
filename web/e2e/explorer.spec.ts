// The API explorer: it loads under its policy, signs in, and a call made there works.
import { expect, test } from './fixtures.ts';
import { password } from './person.ts';

for (const colorScheme of ['light', 'dark'] as const) {
  test(`signs in and calls an operation (${colorScheme})`, async ({ page, person }) => {
    const ada = await person('ada');
    await page.emulateMedia({ colorScheme });
    await page.goto('/docs');
    const bar = page.locator('#sign-in');
    await bar.getByLabel('Username').fill(ada.username);
    await bar.getByLabel('Password').fill('wrong, but long enough');
    await bar.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.locator('#note')).not.toBeEmpty();
    await bar.getByLabel('Password').fill(password);
    await bar.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByText('Calls carry your token.')).toBeVisible();

    const getMe = page
      .locator('.opblock', { hasText: '/v1/users/me' })
      .filter({ hasText: /^GET/ })
      .first();
    await getMe.locator('.opblock-summary').click();
    await getMe.getByRole('button', { name: 'Execute' }).click();
    await expect(getMe.locator('.live-responses-table .response-col_status').last()).toContainText(
      '200',
    );
    await expect(getMe.locator('.live-responses-table')).toContainText(ada.username);

    await page.reload();
    await expect(page.getByText('Calls carry your token.')).toBeVisible();
    await page.getByRole('button', { name: 'Forget token' }).click();
    await expect(page.getByLabel('Username')).toBeVisible();
  });
}
