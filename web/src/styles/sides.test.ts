// Styles name sides by the direction of the text, so that the page can be mirrored.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const physical =
  /(^|[\s;{])((margin|padding|border|scroll-(margin|padding))-(left|right)|left|right|float|text-align:\s*(left|right))\s*:?/;

const styles = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(svelte|css)$/.test(path))
  .map((path) => {
    const text = readFileSync(`src/${path}`, 'utf8');
    return [path, path.endsWith('.css') ? text : (/<style>(.*)<\/style>/s.exec(text)?.[1] ?? '')];
  });

test('no style names left or right', () => {
  expect(styles.length).toBeGreaterThan(40);
  const wrong = styles.flatMap(([path, text]) =>
    text!
      .replace(/\/\*.*?\*\//gs, '')
      .split('\n')
      .filter((line) => physical.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  );
  expect(wrong).toEqual([]);
});
