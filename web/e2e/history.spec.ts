// Reads a long history to its start and back; the reader's place never moves.
import { type Page } from '@playwright/test';
import { expect, messages, otherPage, roomPath, signIn, test } from './fixtures.ts';

interface Trip {
  /** The largest distance (px) by which the row in the middle moved by itself. */
  worst: number;
  seqs: number[];
  mostRows: number;
}

/** Scrolls in steps of a screen until nothing more comes, and measures the row in the middle after each load. */
function travel(page: Page, way: 'up' | 'down'): Promise<Trip> {
  return page.locator('.scroller').evaluate(async (scroller, way) => {
    const frame = () => new Promise(requestAnimationFrame);
    const rows = () => [...scroller.querySelectorAll<HTMLElement>('.message')];
    const middle = scroller.getBoundingClientRect().top + scroller.clientHeight / 2;
    const quiet = async () => {
      for (let calm = 0; calm < 3;) {
        await frame();
        calm = scroller.getAttribute('aria-busy') === 'true' ? 0 : calm + 1;
      }
    };
    const seen = new Set<number>();
    let worst = 0;
    let mostRows = 0;
    for (let last = NaN; ;) {
      for (const row of rows()) seen.add(Number(row.dataset.seq));
      mostRows = Math.max(mostRows, rows().length);
      scroller.scrollBy(0, (way === 'up' ? -1 : 1) * 0.8 * scroller.clientHeight);
      const eye = rows().find((row) => row.getBoundingClientRect().bottom > middle)!;
      const before = eye.getBoundingClientRect().top;
      await quiet();
      worst = Math.max(worst, Math.abs(eye.getBoundingClientRect().top - before));
      const now = Number(eye.dataset.seq);
      if (now === last) return { worst, seqs: [...seen].sort((a, b) => a - b), mostRows };
      last = now;
    }
  }, way);
}

test('a thousand messages scroll to the start and back without a jump', async ({
  page,
  person,
}) => {
  test.setTimeout(120_000);
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('long');
  await bob.join(room);
  const seqs: number[] = [];
  for (let n = 1; n <= 1000; n++) {
    const body = n % 7 === 0 ? `Message ${n}\n${'and more of it '.repeat(n % 40)}` : `Message ${n}`;
    seqs.push((await (n % 5 < 2 ? ada : bob).post(room, body)).seq);
  }
  await signIn(page, ada, roomPath(room));
  await expect(page.getByText('Message 1000', { exact: true })).toBeInViewport();

  const up = await travel(page, 'up');
  expect(up.worst).toBeLessThanOrEqual(1);
  expect(up.seqs).toEqual(seqs);
  expect(up.mostRows).toBeLessThanOrEqual(360);
  await expect(page.getByText('This is the start of')).toBeInViewport();

  // Messages that arrive meanwhile do not move the reader's place and are not lost.
  const top = messages(page).first();
  const before = await top.boundingBox();
  seqs.push((await bob.post(room, 'Message 1001')).seq);
  await expect(page.getByRole('button', { name: '1 new message' })).toBeVisible();
  expect(await top.boundingBox()).toEqual(before);

  const down = await travel(page, 'down');
  expect(down.worst).toBeLessThanOrEqual(1);
  expect(down.seqs).toEqual(seqs);
  await expect(page.getByText('Message 1001')).toBeInViewport();
});

test('while reading further up, new messages wait behind a button; at the end they are followed', async ({
  page,
  person,
}) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('follow');
  await bob.join(room);
  for (let n = 1; n <= 60; n++) await bob.post(room, `Message ${n}`);
  await signIn(page, ada, roomPath(room));
  await bob.post(room, 'followed');
  await expect(page.getByText('followed')).toBeInViewport();

  await page.locator('.scroller').hover();
  await page.mouse.wheel(0, -600);
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeVisible();
  await bob.post(room, 'not followed');
  await expect(page.getByRole('button', { name: '1 new message' })).toBeVisible();
  await expect(page.getByText('not followed')).not.toBeInViewport();
  await page.getByRole('button', { name: '1 new message' }).click();
  await expect(page.getByText('not followed')).toBeInViewport();
});

test('coming back to a room leads to the place where reading stopped', async ({ page, person }) => {
  const ada = await person('ada');
  const long = await ada.createRoom('long');
  const other = await ada.createRoom('other');
  for (let n = 1; n <= 120; n++) await ada.post(long, `Message ${n}`);
  await signIn(page, ada, roomPath(long));
  const row = page.getByText('Message 80', { exact: true });
  await row.evaluate((node) => node.scrollIntoView({ block: 'center' }));
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeVisible();
  await expect(page.locator('.scroller')).toHaveAttribute('aria-busy', 'false');
  const before = await row.boundingBox();
  await page.getByRole('link', { name: other.name }).click();
  await expect(page.getByText('It is quiet in here')).toBeVisible();
  await page.getByRole('link', { name: long.name }).click();
  await expect(row).toBeInViewport();
  expect(Math.abs((await row.boundingBox())!.y - before!.y)).toBeLessThanOrEqual(1);
});

test('a room opens at the first unread message', async ({ page, browser, person }) => {
  const ada = await person('ada');
  const bob = await person('bob');
  const room = await ada.createRoom('unread');
  await bob.join(room);
  await signIn(page, ada, roomPath(room));
  // A message counts as seen only after it was on the screen.
  await expect(page.getByText('It is quiet in here')).toBeVisible();
  await page.goto(ada.url);
  const link = page.getByRole('navigation').getByRole('link', { name: room.name });
  await expect(link).toBeVisible();
  for (let n = 1; n <= 45; n++) await bob.post(room, `Message ${n}`);
  await link.click();
  await expect(page.getByText('Message 1', { exact: true })).toBeInViewport();
  await expect(page.getByText('Message 45')).not.toBeInViewport();
  const reader = await otherPage(browser, bob, roomPath(room));
  await expect(reader.getByText('Message 45')).toBeInViewport();
});
