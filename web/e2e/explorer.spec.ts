// The API explorer: it loads under its policy, signs in, and a call made there works.
import AxeBuilder from '@axe-core/playwright';
import { type Locator } from '@playwright/test';
import { expect, test } from './fixtures.ts';
import { Person, password } from './person.ts';
import { Server } from './server.ts';

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
    await expect(bar.getByLabel('Username')).toBeVisible();
  });
}

test('a token that has expired is asked for again, also by a page that was away', async ({
  page,
}) => {
  const own = await Server.start({ PARLOR_AUTH__ACCESS_TOKEN_SECONDS: '4' });
  try {
    const ada = await Person.register(own.url, 'ada');
    const bar = page.locator('#sign-in');
    const enter = async () => {
      await bar.getByLabel('Username').fill(ada.username);
      await bar.getByLabel('Password').fill(password);
      await bar.getByRole('button', { name: 'Sign in' }).click();
      await expect(page.getByText('Calls carry your token.')).toBeVisible();
    };
    const asked = page.getByText('Your token has expired. Please sign in again.');
    await page.goto(`${own.url}/docs`);
    await enter();
    await expect(asked).toBeVisible();
    await expect(page.getByText('Calls carry your token.')).toHaveCount(0);
    await enter();
    await expect(asked).toHaveCount(0);
    const kept = await page.evaluate(() => localStorage.getItem('authorized'));
    await page.goto('about:blank');
    await expect
      .poll(() => {
        const value = (JSON.parse(kept!) as { bearer: { value: string } }).bearer.value;
        const claims = Buffer.from(value.split('.')[1]!, 'base64url').toString();
        return Date.now() > (JSON.parse(claims) as { exp: number }).exp * 1000;
      })
      .toBe(true);
    await page.goto(`${own.url}/docs`);
    await expect(asked).toBeVisible();
    await expect(bar.getByLabel('Username')).toBeVisible();
  } finally {
    await own.remove();
  }
});

test('begins with what a newcomer needs, and goes on in the order of use', async ({ page }) => {
  await page.goto('/docs');
  const introduction = page.locator('.info .description');
  for (const named of ['registerUser', 'login', 'joinRoom', 'streamRoomEvents', 'Last-Event-ID']) {
    await expect(introduction).toContainText(named);
  }
  await expect(page.locator('.opblock-tag')).toHaveText([
    /^Server/,
    /^Accounts/,
    /^Sessions/,
    /^Rooms/,
    /^Members/,
    /^Messages/,
    /^Reading/,
    /^Reactions/,
    /^Events/,
  ]);
});

test('a link leads to its operation, ready to be sent by keyboard alone', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const room = await ada.createRoom('tea');
  await page.goto('/docs#/Rooms/getRoom');
  const getRoom = page.locator('#operations-Rooms-getRoom');
  await expect(getRoom.getByRole('button', { name: 'Execute' })).toBeVisible();
  await expect(getRoom.locator('.opblock-summary')).toBeInViewport({ ratio: 1 });

  const reach = async (target: Locator) => {
    for (let steps = 0; steps < 60; steps++) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error('the Tab key does not get there');
  };
  await page.locator('.bar-mark').focus();
  await reach(page.getByRole('textbox', { name: 'Username' }));
  await page.keyboard.type(ada.username);
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Calls carry your token.')).toBeVisible();

  await getRoom.locator('.opblock-summary-control').focus();
  await page.keyboard.press('Enter');
  await expect(getRoom.locator('.opblock-body')).toHaveCount(0);
  await page.keyboard.press('Enter');
  await reach(getRoom.locator('tr[data-param-name="room"] input'));
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type(room.name);
  await reach(getRoom.getByRole('button', { name: 'Execute' }));
  await page.keyboard.press('Enter');
  await expect(getRoom.locator('.live-responses-table')).toContainText(room.id);
});

test('optional parameters begin empty, so that a call works as it stands', async ({ page }) => {
  await page.goto('/docs#/Messages/listMessages');
  const inputs = page.locator('#operations-Messages-listMessages .parameters input');
  await expect(inputs.first()).toHaveValue('lobby');
  const values = await inputs.evaluateAll((all) =>
    (all as HTMLInputElement[]).map((input) => input.value),
  );
  expect(values.filter(Boolean)).toEqual(['lobby']);
});

test('on a narrow window the two fields of the bar are of one width, and nothing scrolls sideways', async ({
  page,
}) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto('/docs');
  const widths = await page
    .locator('#sign-in input')
    .evaluateAll((inputs) => inputs.map((input) => input.getBoundingClientRect().width));
  expect(widths).toHaveLength(2);
  expect(widths[0]).toBe(widths[1]);
  await page.locator('#operations-Messages-postMessage .opblock-summary-control').click();
  await expect(page.getByRole('button', { name: 'Execute' })).toBeVisible();
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(overflow).toBe(0);
});

test('a lock is closed only when there is a token, also where the token is optional', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  await page.goto('/docs');
  const logout = page.locator('#operations-Sessions-logout .authorization__btn');
  await expect(logout).toHaveAccessibleName('authorization button unlocked');
  await expect(page.getByRole('button', { name: 'authorization button locked' })).toHaveCount(0);
  await page.locator('#sign-in').getByLabel('Username').fill(ada.username);
  await page.locator('#sign-in').getByLabel('Password').fill(password);
  await page.locator('#sign-in').getByRole('button', { name: 'Sign in' }).click();
  await expect(logout).toHaveAccessibleName('authorization button locked');
});

test('on a wide window the text keeps to a width that can be read', async ({ page }) => {
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.goto('/docs');
  const wrappers = page.locator('.swagger-ui .wrapper');
  await expect(wrappers.first()).toBeVisible();
  for (const wrapper of await wrappers.all()) {
    expect((await wrapper.boundingBox())!.width).toBeLessThanOrEqual(1100);
  }
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 360]) {
    test(`every text has contrast (${colorScheme}, ${width} px)`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.goto('/docs');
      // One operation of each method, with parameters and bodies, and an answer.
      for (const id of [
        'Rooms-listRooms',
        'Sessions-logout',
        'Accounts-updateMe',
        'Members-putMember',
        'Rooms-deleteRoom',
      ]) {
        await page.locator(`#operations-${id} .opblock-summary-control`).click();
      }
      const open = page.locator('#operations-Rooms-listRooms');
      await open.getByRole('button', { name: 'Execute' }).click();
      await expect(open.locator('.live-responses-table .response-col_status').last()).toContainText(
        '401',
      );
      const { violations } = await new AxeBuilder({ page }).withRules(['color-contrast']).analyze();
      const faults = violations.flatMap(({ nodes }) => nodes.map((node) => node.failureSummary));
      expect(faults).toEqual([]);
    });
  }
}
