// Owns work that only one tab of this origin may do at a time. Must not know what the work is.

/**
 * After this long (ms) a tab that holds the lock counts as frozen. No work takes longer: a call has a shorter deadline,
 * and who has many calls to make gives the lock back in between.
 */
const frozenAfter = 40_000;

/**
 * Runs `work` while no other tab runs its own under the same name; `waited` says that another tab did until now.
 * Without Web Locks, which plain http from another host lacks, it runs at once. When this tab itself is taken for frozen,
 * another tab may begin before its work is done: work must bear being done twice.
 */
export async function alone<T>(name: string, work: (waited: boolean) => Promise<T>): Promise<T> {
  if (!('locks' in navigator)) return work(false);
  let begun: Promise<T> | null = null;
  const begin = (waited: boolean) => (begun = work(waited));
  try {
    const first = await navigator.locks.request(name, { ifAvailable: true }, async (lock) =>
      lock ? { result: await begin(false) } : null,
    );
    if (first) return first.result;
    const signal = AbortSignal.timeout(frozenAfter);
    return (await navigator.locks
      .request(name, { signal }, () => begin(true))
      .catch((error: unknown) => {
        if (begun) throw error;
        return navigator.locks.request(name, { steal: true }, () => begin(true));
      })) as T;
  } catch (error) {
    // Another tab has stolen the lock, but the work goes on. Or the work itself has failed.
    if (begun) return begun;
    throw error;
  }
}
