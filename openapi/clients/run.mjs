// Owns `make clients`: takes the commands of each example client from openapi/README.md, runs them against a server that it
// starts, once as it is and once through tomorrow.mjs, its faults also against bare.mjs, and says how long each step took. The
// checks of ../checks have commands there too, and are run once. What a client or a check does is its own business.
//
// `node run.mjs [NAME ...]` with PARLOR_BIN; a NAME is a folder (`go`), or the beginning of some (`python` is python-generator too).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { startBare } from './bare.mjs';
import { startServer } from './server.mjs';
import { startTomorrow } from './tomorrow.mjs';

/** Access tokens that expire while a client runs, so that renewing them is not only written but done. */
const SHORT_TOKENS = { PARLOR_LIMITS__ENABLED: 'false', PARLOR_AUTH__ACCESS_TOKEN_SECONDS: '4' };
/** Limits that a client reaches at once, so that it meets a 429. */
const TIGHT_LIMITS = { PARLOR_LIMITS__ENABLED: 'true', PARLOR_LIMITS__LOGIN_PER_ACCOUNT: '3, 1/min' };
/** A step that takes longer than this has failed. Generators and compilers may have to fetch hundreds of packages first. */
const MADE_WITHIN_MS = 15 * 60_000;
/** A program that takes longer than this has failed. The browser's drive has a shorter deadline of its own and says what it missed. */
const RUN_WITHIN_MS = 120_000;
/** What tomorrow's server must have done to a client, and seen it do, for the run to say anything. */
const MET = [
  ...['field', 'code', 'role', 'visibility', 'reason', 'registration'],
  ...['poll.opened', 'weather', 'notice', 'reset', 'bye', 'busy stream', 'busy renewal', 'another busy renewal'],
  ...['back after bye', 'back after busy stream', 'back after busy renewal', 'back after another busy renewal'],
];
/** What the client must have printed then: an unknown code, and that it was told to begin anew by a `reset`. */
const PRINTED = { 'the code': /\btomorrow_room_not_found\b/, 'the reset': /\bbegin anew: tomorrow\b/ };
/** The page does not ask for the server's facts, and does not say that a `reset` came. Two people use it at once and go on from
    the same cursors, so a wait cannot be told to be that of one of them; and an EventSource hides a `Retry-After`. */
const NOT_MET = { browser: ['registration', 'the reset', ...MET.filter((kind) => /^back |^another /.test(kind))] };
const COLUMNS = ['generate', 'compile', 'run', 'tomorrow', 'faults'];

const README = new URL('../README.md', import.meta.url);

/** The README's clients and checks: a heading `### Title: [KIND/NAME](KIND/NAME)`, and blocks marked `sh STEP` below it. */
function entries(page) {
  const sections = page.split(/^#{2,3} /m).slice(1);
  const found = sections.flatMap((section) => {
    const [, kind, name] = /^[^\n]*\[(clients|checks)\/([a-z-]+)\]\(\1\/\2\)/.exec(section) ?? [];
    const blocks = [...section.matchAll(/^```sh ([a-z]+)\n(.*?)^```$/gms)];
    return name ? [{ kind, name, steps: Object.fromEntries(blocks.map(([, step, text]) => [step, text])) }] : [];
  });
  for (const { name, steps } of found) {
    if (!steps.run) throw new Error(`${name}: its section has no block \`sh run\``);
    const strange = Object.keys(steps).filter((step) => !COLUMNS.includes(step));
    if (strange.length) throw new Error(`${name}: a block \`sh ${strange[0]}\` is not one of ${COLUMNS.join(', ')}`);
  }
  return found;
}

/** Runs a block as it stands in the folder and gives what it printed, with the seconds that it took. */
async function perform({ kind, name }, script, addresses) {
  const begun = performance.now();
  // make hands LANG=go on to all that it runs, but that is no locale.
  const env = { ...process.env, LANG: 'C.UTF-8', ...addresses };
  const cwd = new URL(`../${kind}/${name}/`, import.meta.url);
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a step that hangs ends with all that it started.
    detached: true,
  });
  const end = () => process.kill(-shell.pid, 'SIGKILL');
  const timer = setTimeout(end, addresses ? RUN_WITHIN_MS : MADE_WITHIN_MS);
  process.once('exit', end);
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const [code, signal] = await new Promise((resolve, reject) => {
    shell.once('error', reject);
    shell.once('close', (code, signal) => resolve([code, signal]));
  });
  clearTimeout(timer);
  process.off('exit', end);
  if (code !== 0) throw new Error(`${output}\nended with ${signal ?? code}`);
  return { output, seconds: (performance.now() - begun) / 1000 };
}

/** All steps of one client or check; calls `done` after each. */
async function runEntry(entry, done) {
  const { kind, name, steps } = entry;
  const step = async (column, script, addresses) => {
    if (!script) return done(column);
    try {
      const { output, seconds } = await perform(entry, script, addresses);
      done(column, seconds);
      return output;
    } catch (error) {
      throw new Error(`${name}, ${column}:\n${error.message}`);
    }
  };
  await step('generate', steps.generate);
  await step('compile', steps.compile);

  const server = await startServer(SHORT_TOKENS);
  const proxy = await startTomorrow(server.url);
  try {
    const today = await step('run', steps.run, { PARLOR_URL: server.url });
    if (kind === 'checks') return;
    const tomorrow = await step('tomorrow', steps.run, { PARLOR_URL: proxy.url });
    const code = /\broom_not_found\b/;
    if (!code.test(today)) throw new Error(`${name}: the code of the error that it met is not printed:\n${today}`);
    const met = (kind) => (kind in PRINTED ? PRINTED[kind].test(tomorrow) : proxy.changes[kind] > 0);
    const missing = [...MET, ...Object.keys(PRINTED)].filter((kind) => !met(kind) && !NOT_MET[name]?.includes(kind));
    if (missing.length) {
      throw new Error(`${name}: no ${missing.join(', no ')} in ${JSON.stringify(proxy.changes)} and\n${tomorrow}`);
    }
  } finally {
    await proxy.close();
    await server.stop();
  }
  if (!steps.faults) return done('faults');
  const strict = await startServer(TIGHT_LIMITS);
  const bare = await startBare();
  try {
    await step('faults', steps.faults, { PARLOR_URL: strict.url, BARE_URL: bare.url });
  } finally {
    await bare.close();
    await strict.stop();
  }
}

// So that what runs is ended on Ctrl-C as well: on a signal alone there is no `exit`.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const wanted = process.argv.slice(2);
const all = entries(readFileSync(README, 'utf8'));
const isWanted = (name) => wanted.some((part) => name === part || name.startsWith(`${part}-`));
const list = all.filter(({ name }) => wanted.length === 0 || isWanted(name));
if (list.length === 0) throw new Error(`no such client: ${wanted.join(' ')}; there are ${all.map(({ name }) => name).join(' ')}`);

const width = Math.max(...list.map(({ name }) => name.length));
console.log([''.padEnd(width), ...COLUMNS.map((column) => column.padStart(9))].join(' '));
const failures = [];
for (const entry of list) {
  process.stdout.write(entry.name.padEnd(width));
  const cell = (_, seconds) =>
    process.stdout.write(` ${(seconds === undefined ? '-' : `${seconds.toFixed(1)} s`).padStart(9)}`);
  try {
    await runEntry(entry, cell);
    console.log('  ok');
  } catch (error) {
    console.log('  FAILED');
    failures.push(error.message);
  }
}
for (const failure of failures) console.error(`\n${failure}`);
process.exitCode = failures.length ? 1 : 0;
