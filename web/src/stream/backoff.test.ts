// The waiting times: short at the start of an outage, longer later, and short again after a success.
import { expect, test } from 'vitest';
import { Problem } from '../api/problem';
import { Backoff } from './backoff';

test('waits grow from 1 s to 8 s, and to 30 s once an outage has lasted two minutes', () => {
  let clock = 500;
  const backoff = new Backoff(
    () => clock,
    () => 1,
  );
  expect(backoff.fresh).toBe(true);
  const waits = () => [1, 2, 3, 4, 5, 6].map(() => backoff.next());
  expect(waits()).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  expect(backoff.fresh).toBe(false);
  clock += 119_999;
  expect(backoff.next()).toBe(8_000);
  clock += 1;
  expect(backoff.next()).toBe(30_000);
  backoff.reset();
  expect(waits()).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
});

test('the jitter is full: no wait is under 1 s, and half the dice is half the way', () => {
  const backoff = (random: number) => {
    const waits = new Backoff(
      () => 0,
      () => random,
    );
    return [1, 2, 3, 4].map(() => waits.next());
  };
  expect(backoff(0)).toEqual([1_000, 1_000, 1_000, 1_000]);
  expect(backoff(0.5)).toEqual([1_000, 1_500, 2_500, 4_500]);
});

test('a wait that the server has named is the least, and counts as a failure like others', () => {
  const backoff = new Backoff(
    () => 0,
    () => 1,
  );
  expect(backoff.wait(new Problem(429, 'too_many', '', '', [], 7))).toBe(7_000);
  expect(backoff.wait(Problem.noAnswer())).toBe(2_000);
  expect(backoff.wait(new Problem(503, 'not_ready', '', '', [], 1))).toBe(4_000);
  expect(backoff.wait(new Error())).toBe(8_000);
});
