// Owns what the tests of cost read from the browser, and how they make rooms with many messages. Must not know what a
// figure should be.
import { type CDPSession, type Page } from '@playwright/test';
import type { ApiRoom, Person } from './person.ts';

/** What the page has used since it was loaded: ms of processor time in script, and how many layouts. */
export interface Used {
  script: number;
  layouts: number;
}

export async function probe(page: Page): Promise<{ cdp: CDPSession; used(): Promise<Used> }> {
  const cdp = await page.context().newCDPSession(page);
  // Processor time of the page's own thread, so that what else the machine does hardly counts.
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  return {
    cdp,
    async used() {
      const { metrics } = await cdp.send('Performance.getMetrics');
      const of = (name: string) => metrics.find((metric) => metric.name === name)!.value;
      return { script: of('ScriptDuration') * 1000, layouts: of('LayoutCount') };
    },
  };
}

interface Traced {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Processor time (microseconds). */
  tdur?: number;
  args: { name?: string };
}

/** Starts to record tasks; the returned function stops and gives the processor time (ms) of the page's longest one. */
export async function longestTask(cdp: CDPSession): Promise<() => Promise<number>> {
  const events: Traced[] = [];
  cdp.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as Traced[])));
  await cdp.send('Tracing.start', {
    traceConfig: { includedCategories: ['toplevel'] },
    transferMode: 'ReportEvents',
  });
  return async () => {
    const complete = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve));
    await cdp.send('Tracing.end');
    await complete;
    const pages = events
      .filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`);
    const tasks = events.filter(
      ({ name, ph, pid, tid }) =>
        name.endsWith('RunTask') && ph === 'X' && pages.includes(`${pid} ${tid}`),
    );
    // Without tasks nothing would have been measured.
    if (!tasks.length) throw new Error('the trace has no tasks');
    return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
  };
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Posts many messages, several at once, so that thousands take seconds. Their order is not that of the numbers. */
export async function postMany(people: Person[], room: ApiRoom, count: number): Promise<void> {
  let next = 0;
  const work = async (person: Person) => {
    while (next < count)
      await person.post(room, `Message ${++next} of many, with some words in it`);
  };
  await Promise.all(Array.from({ length: 32 }, (_, n) => work(people[n % people.length]!)));
}

/** Reads back until so many rows are on the page, and returns to the end. */
export async function loadRows(page: Page, count: number): Promise<void> {
  await page.locator('.scroller').evaluate(async (scroller, count) => {
    const frame = () => new Promise(requestAnimationFrame);
    while (scroller.querySelectorAll('.message').length < count) {
      scroller.scrollTop = -scroller.scrollHeight;
      await frame();
    }
    scroller.scrollTop = 0;
    for (let calm = 0; calm < 30; calm++) await frame();
  }, count);
}

/** The stream breaks as in sleep, without the page's knowledge of what is said meanwhile; the returned function wakes it. */
export async function suspend(page: Page): Promise<() => Promise<void>> {
  await page.route('**/v1/events?*', (route) => route.abort());
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  return async () => {
    await page.unroute('**/v1/events?*');
    await page.evaluate(() => dispatchEvent(new Event('online')));
  };
}
