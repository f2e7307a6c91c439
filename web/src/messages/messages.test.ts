// Every language has a text for what the server may answer, and numbers take the form that their language wants.
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Problem } from '../api/problem';
import { plural, writeIn } from '../text/locale';
import { fault, explain } from './explain';
import { languages, preferred, speak, t, type Language } from '.';

const codes = [...readFileSync('../src/api/code.rs', 'utf8').matchAll(/"([a-z_]+)" [A-Z_]+ "/g)];
const all = Object.keys(languages) as Language[];

beforeEach(() => {
  vi.stubGlobal('document', { documentElement: {} });
  vi.stubGlobal('location', { origin: 'https://parlor.example' });
});

describe.each(all)('%s', (language) => {
  beforeEach(() => speak(language, []));

  test('has a text for each code of the server', () => {
    expect(codes.length).toBeGreaterThan(30);
    const server = 'only the server says this';
    for (const [, code] of codes) {
      const text = explain(new Problem(400, code!, server));
      expect(text, code).not.toContain(server);
      expect(text, code).not.toBe('');
    }
  });

  test('tells a code that is newer than the client in the words of the server', () => {
    expect(explain(new Problem(400, 'to_come', 'not yet known'))).toBe('Not yet known.');
    expect(explain(new Problem(400, 'constructor', ''))).toBe(t.problems.unknown);
  });

  test('tells which rule a field broke', () => {
    const broken = (detail: string) =>
      fault(new Problem(400, 'invalid_body', '', '', [{ pointer: '/title', detail }]), 'title');
    expect(broken('must be at most 80 characters')).toBe(t.rules.tooLong(80));
    expect(broken('may contain only a-z, 0-9, _ and -')).toContain(' a-z 0-9 _ -');
    expect(broken('must contain something visible')).toBe(t.rules.invisible);
    expect(broken('is of a new kind')).toBe('Is of a new kind.');
    expect(broken('')).toBe('');
  });

  test('tells a taken name at its field', () => {
    const taken = new Problem(409, 'room_name_taken', 'A public room has this name');
    expect(fault(taken, 'name')).toBe(t.problems.room_name_taken);
    expect(fault(taken, 'title')).toBe('');
  });
});

test('the first preferred language that there is wins, and English is the last resort', () => {
  expect(preferred(['de-AT', 'zh-TW', 'en'])).toBe('zh');
  expect(preferred(['en-GB', 'zh'])).toBe('en');
  expect(preferred(['constructor', 'fr'])).toBe('en');
  expect(preferred([])).toBe('en');
});

test('numbers take the plural form of the language', () => {
  const forms = { zero: 'zero', one: 'one', two: 'two', few: 'few', many: 'many', other: 'other' };
  const of = (tag: string, ns: number[]) => {
    writeIn(tag);
    return ns.map((n) => plural(n, forms));
  };
  expect(of('ar', [0, 1, 2, 3, 11, 100])).toEqual(['zero', 'one', 'two', 'few', 'many', 'other']);
  expect(of('en', [0, 1, 2])).toEqual(['other', 'one', 'other']);
  expect(of('zh', [1])).toEqual(['other']);
  writeIn('en');
  expect(plural(1, { other: 'always there' })).toBe('always there');
});
