// Owns the lint rules of the client, among them which folder may talk to the server.
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const serverOnly = 'Only src/api and src/stream talk to the server.';

export default ts.config(
  { ignores: ['dist', 'src/api/generated', 'test-results', 'playwright-report'] },
  js.configs.recommended,
  ts.configs.recommended,
  svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    rules: {
      // TypeScript finds undefined names, and knows the browser's types.
      'no-undef': 'off',
      // Routes are plain paths under the origin; no framework resolves them.
      'svelte/no-navigation-without-resolve': 'off',
      // A value that no template reads does not have to be reactive.
      'svelte/prefer-svelte-reactivity': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/api/**', 'src/stream/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: serverOnly },
        { name: 'EventSource', message: serverOnly },
        { name: 'XMLHttpRequest', message: serverOnly },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['**/api/generated/**', '**/api/generated'], message: serverOnly }] },
      ],
    },
  },
);
