// Owns what every browser test starts from: one server for each worker, people, and signed-in pages. A page
// that breaks the content security policy or throws fails its test. Must not know single features.
import { test as base, expect, type Browser, type Locator, type Page } from '@playwright/test';
import { password, Person, type ApiRoom } from './person.ts';
import { Server } from './server.ts';

interface Tools {
  /** Registers a person by the API. */
  person(stem: string, displayName?: string): Promise<Person>;
}

export const test = base.extend<Tools, { server: Server }>({
  server: [
    // eslint-disable-next-line no-empty-pattern -- the runner reads the needed fixtures from this pattern: none
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.remove();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  person: async ({ server }, use) => use((stem, name) => Person.register(server.url, stem, name)),
  page: async ({ page }, use) => {
    const faults = watch(page);
    await use(page);
    expect(faults).toEqual([]);
  },
});

export { expect };

/** Collects the page's own faults as they happen. Refused and unanswered calls are not faults of the page. */
export function watch(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() !== 'error' || /Failed to load resource/.test(message.text())) return;
    faults.push(message.text());
  });
  return faults;
}

export async function signIn(page: Page, person: Person, path = '/'): Promise<void> {
  await page.goto(person.url + path);
  await page.getByLabel('Username').fill(person.username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByLabel('Username')).toHaveCount(0);
}

/** A second person has a second browser. */
export async function otherPage(browser: Browser, person: Person, path = '/'): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await signIn(page, person, path);
  return page;
}

export const roomPath = (room: ApiRoom): string => `/room/${room.id}`;

/** The box that messages are written in. */
export const box = (page: Page): Locator => page.getByRole('textbox', { name: /^Message to/ });

export async function say(page: Page, text: string): Promise<void> {
  await box(page).fill(text);
  await box(page).press('Enter');
}

/** The messages of the log that are on the page now. */
export const messages = (page: Page): Locator => page.locator('.message');

export const texts = (page: Page): Promise<string[]> =>
  page.locator('.message .body').allInnerTexts();
