// When the list of completions is open, what it offers, and what a choice does.
import { expect, test } from 'vitest';
import { Completion, type Choice } from './completion.svelte';

const person = (label: string, insert: string): Choice => ({
  id: insert,
  label,
  insert,
  note: insert,
});
const people = [
  person('Ada Lovelace', '@ada'),
  person('Bob', '@bob'),
  person('Barbara', '@liskov'),
];

/** Emoji are found once they are loaded, and members in two pages. */
function completion() {
  let loaded = false;
  let page = people.slice(0, 2);
  return new Completion({
    person: {
      find: () => page,
      load: async () => void (page = people),
    },
    room: { find: () => [] },
    emoji: {
      find: (letters) =>
        loaded ? ['🎉', '🎊'].map((insert) => ({ insert, label: `:${letters}:`, note: '' })) : [],
      load: () => (loaded ? undefined : Promise.resolve().then(() => (loaded = true))),
    },
  });
}

/** The whole text with the caret at its end. */
const typed = (text: string) => ({ text, start: text.length, end: text.length });
const names = (of: Completion) => of.choices.map(({ label }) => label);

test('the closest names are offered, found by either name', async () => {
  const list = completion();
  await list.look(typed('@b'));
  expect(names(list).slice(0, 2)).toEqual(['Barbara', 'Bob']);
  await list.look(typed('@lisk'));
  expect(names(list)).toEqual(['Barbara']);
  await list.look(typed('@nobody'));
  expect(list.open).toBe(false);
});

test('a choice replaces the sign and its letters, and adds a space', async () => {
  const list = completion();
  await list.look(typed('ask @lov'));
  list.move(1);
  list.move(-1);
  const edit = list.choose(list.choices[list.at], typed('ask @lov'));
  expect(edit).toEqual({ from: 4, to: 8, insert: '@ada ', start: 9, end: 9 });
  expect(list.open).toBe(false);
});

test('a list that was dismissed stays away until the caret leaves the sign', async () => {
  const list = completion();
  await list.look(typed('@a'));
  list.dismiss();
  await list.look(typed('@ad'));
  expect(list.open).toBe(false);
  await list.look(typed('@ad '));
  await list.look(typed('@ad'));
  expect(list.open).toBe(true);
});

test('what comes late for letters that are gone is not shown', async () => {
  const list = completion();
  const late = list.look(typed(':tada'));
  await list.look(typed('plain'));
  await late;
  expect(list.open).toBe(false);
});

test('what is at hand is offered before the next key, and a choice of it stays', async () => {
  const list = completion();
  await list.look(typed(':ta'));
  const late = list.look(typed(':tad'));
  expect(names(list)).toEqual([':tad:', ':tad:']);
  list.move(1);
  await late;
  expect(list.choices[list.at]?.insert).toBe('🎊');
});

test('one who is found on a later page comes before others, and the chosen one stays chosen', async () => {
  const list = completion();
  const late = list.look(typed('@b'));
  expect(names(list)).toEqual(['Bob']);
  await late;
  expect(names(list)).toEqual(['Barbara', 'Bob']);
  expect(list.choices[list.at]?.label).toBe('Bob');
});
