// Owns the small differences between browsers: ids, timers, clocks, channels. Must not hold state of the conversation.

/** A random id; `crypto.randomUUID` does not exist on plain http from another host. */
export function newId(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

let wall = Date.now();
let steady = performance.now();
let slept = 0;

/**
 * Ms since the page was opened, with the time that the computer slept, which `performance.now` leaves out. It never
 * goes back. Setting the computer's clock forward looks like a sleep.
 */
export function ticks(): number {
  const jump = Date.now() - wall - (performance.now() - steady);
  if (jump > 1_000) slept += jump;
  wall = Date.now();
  steady = performance.now();
  return steady + slept;
}

const turn = new MessageChannel();
const turns: (() => void)[] = [];
turn.port1.onmessage = () => {
  for (const run of turns.splice(0)) run();
};

/** Runs in a task of its own, after those that wait already. Unlike a timer it is not slowed down in a hidden tab. */
export function soon(run: () => void): void {
  turns.push(run);
  turn.port2.postMessage(null);
}

export function channel(name: string): BroadcastChannel | null {
  return 'BroadcastChannel' in window ? new BroadcastChannel(name) : null;
}
