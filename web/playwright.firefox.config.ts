// Owns the run of the browser tests in the distribution's Firefox, over WebDriver BiDi (`make firefox`). It is for now and
// then: the driver is young, so what it cannot do is left out by name.
import { defineConfig } from '@playwright/test';
import base from './playwright.config.ts';

export default defineConfig({
  ...base,
  workers: 1,
  use: {
    browserName: 'firefox',
    channel: 'moz-firefox',
    viewport: { width: 1280, height: 720 },
    launchOptions: { executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr' },
  },
});
