// The server's description: requested until it arrives, and not assumed before.
import { expect, test } from 'vitest';
import { Problem } from '../api/problem';
import type { Server } from '../api/types';
import { ServerFacts } from './server.svelte';

const answer = { name: 'Kitchen', registration: 'open', limits: { min_password: 20 } } as Server;

test('it asks until there is an answer', async () => {
  const server = new ServerFacts();
  const answers: (() => Promise<Server>)[] = [
    () => Promise.reject(Problem.noAnswer()),
    () => Promise.resolve(answer),
  ];
  const timers: (() => void)[] = [];
  await server.learn(
    () => answers.shift()!(),
    (_, run) => timers.push(run),
  );
  expect(server.facts).toBeNull();
  expect(server.name).toBe('');
  timers.shift()!();
  await Promise.resolve();
  expect(server.facts?.limits.min_password).toBe(20);
  expect(server.name).toBe('Kitchen');
  expect(timers).toHaveLength(0);
});
