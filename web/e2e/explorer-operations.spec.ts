// Every operation of the document can be tried out in the API explorer: a test fills in what the example cannot know, sends it,
// and gets the answer that the document promises.
import { readFileSync } from 'node:fs';
import { type Locator, type Page } from '@playwright/test';
import { expect, test } from './fixtures.ts';
import { isOverload, password, Person, unique } from './person.ts';

interface Operation {
  id: string;
  tag: string;
  path: string;
  statuses: string[];
  required: string[];
  isStream: boolean;
}

interface Described {
  operationId: string;
  tags: string[];
  parameters?: { name: string; required?: boolean }[];
  responses: Record<string, { content?: object }>;
}

const document = JSON.parse(
  readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8'),
) as { tags: { name: string }[]; paths: Record<string, Record<string, Described>> };

const operations: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.values(methods).map(({ operationId, tags, parameters, responses }) => ({
    id: operationId,
    tag: tags[0]!,
    path,
    statuses: Object.keys(responses),
    required: (parameters ?? []).filter(({ required }) => required).map(({ name }) => name),
    isStream: 'text/event-stream' in (responses['200']?.content ?? {}),
  })),
);

const block = (page: Page, { tag, id }: Operation): Locator =>
  page.locator(`#operations-${tag}-${id}`);

/** A room with a message in it, owned by both people. Each operation gets a new one, so that they do not disturb each other. */
async function place(ada: Person, grace: Person) {
  const room = await ada.createRoom('tea');
  await ada.call('PUT', `/v1/rooms/${room.id}/members/${grace.username}`, { role: 'owner' });
  return { room, message: await ada.post(room, 'Hello') };
}

async function signInByOperation(page: Page, username: string): Promise<void> {
  const open = block(
    page,
    operations.find(({ id }) => id === 'login')!,
  );
  await open.locator('.opblock-summary-control').click();
  await open.locator('textarea').fill(JSON.stringify({ username, password }));
  await open.getByRole('button', { name: 'Execute' }).click();
  await expect(page.getByText('Calls carry your token.')).toBeVisible();
  await open.locator('.opblock-summary-control').click();
}

test.describe.configure({ mode: 'parallel' });

for (const { name: tag } of document.tags) {
  test(`every operation of ${tag} is tried out and answered as documented`, async ({
    page,
    person,
  }) => {
    test.setTimeout(120_000);
    const [ada, grace] = [await person('ada'), await person('grace')];
    const { room: first } = await place(ada, grace);
    const begin = () =>
      ada.call<{ session: string; refresh_token: string }>('POST', '/v1/login', {
        username: ada.username,
        password,
      });
    // The page keeps using the tokens of one session and ends the other.
    const [{ refresh_token }, { session }] = [await begin(), await begin()];
    await page.goto('/docs');
    await signInByOperation(page, ada.username);

    // These operations end the session of the page itself.
    const last = ['changePassword', 'logout'];
    const order = operations
      .filter((operation) => operation.tag === tag)
      .toSorted((a, b) => last.indexOf(a.id) - last.indexOf(b.id));
    expect(order).not.toEqual([]);
    for (const operation of order) {
      const values: Record<string, string> = { username: grace.username, session, emoji: '👍' };
      if (operation.required.includes('room')) {
        const { room, message } = await place(ada, grace);
        Object.assign(values, { room: room.id, message: message.id });
      }
      const bodies: Record<string, object> = {
        registerUser: { username: unique('eve'), password },
        login: { username: ada.username, password },
        refresh: { refresh_token },
        changePassword: { current_password: password, new_password: `${password} and nine otters` },
        createRoom: { name: unique('hall') },
        markRead: { message: values.message },
        markUnread: { message: values.message },
      };
      const open = block(page, operation);
      await open.locator('.opblock-summary-control').click();
      await expect(open.getByRole('button', { name: 'Execute' })).toBeVisible();
      for (const name of operation.required) {
        expect(values, `${operation.id}: a value for ${name}`).toHaveProperty(name);
        await open.locator(`tr[data-param-name="${name}"] input`).fill(values[name]!);
      }
      const body = bodies[operation.id];
      if (body) await open.locator('textarea').fill(JSON.stringify(body));
      const start = operation.path.split('{')[0]!;
      const status = open.locator('.live-responses-table .response-col_status').last();
      const execute = async () => {
        const answered = page.waitForResponse((answer) => answer.url().includes(start));
        await open.getByRole('button', { name: 'Execute' }).click();
        const answer = await answered;
        if (operation.isStream) await listens(page, ada, values.room ?? first.id);
        await expect(status).toHaveText(new RegExp(`^${answer.status()}`));
        return answer;
      };
      let answer = await execute();
      while (answer.status() === 503 && isOverload(await answer.text())) answer = await execute();
      const outcome = String(answer.status());
      expect(operation.statuses, operation.id).toContain(outcome);
      expect(outcome, operation.id).toMatch(/^2/);
      await expect(open.locator('.curl')).toContainText(start);
      await open.locator('.opblock-summary-control').click();
    }
  });
}

/** The page shows an open stream while it arrives, until the keyboard stops it; then Swagger UI shows it as a normal answer. */
async function listens(page: Page, ada: Person, room: string): Promise<void> {
  const panel = page.getByRole('form', { name: /^Listening to/ });
  const frames = panel.getByRole('log');
  await expect(frames).toContainText('event: hello');
  const text = unique('said-live');
  await ada.call('POST', `/v1/rooms/${room}/messages`, { body: text });
  await expect(frames).toContainText(text);
  await expect(panel.getByRole('button', { name: 'Stop' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(panel).toBeHidden();
  await expect(page.locator('.live-responses-table').last()).toContainText(text);
  await expect(page.getByRole('button', { name: 'Execute' }).last()).toBeFocused();
}
