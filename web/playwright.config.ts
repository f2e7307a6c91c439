// Owns how browser tests run: the distribution's Chromium, one Parlor server for each worker (see e2e/fixtures.ts).
import { defineConfig, devices } from '@playwright/test';

// What is measured runs alone and after the rest: beside another test it would measure that one, too.
const measured = /(cost|start)\.spec\.ts$/;

export default defineConfig({
  testDir: 'e2e',
  forbidOnly: !!process.env.CI,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  projects: [
    { name: 'pages', testIgnore: measured },
    // A trace takes a snapshot of the page at each step, which would be measured with it.
    { name: 'figures', testMatch: measured, use: { trace: 'off' } },
  ],
  use: {
    ...devices['Desktop Chrome'],
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        ...['--disable-quic', '--disable-component-update', '--disable-sync'],
        // Another name of this machine, for tests of a page at an address that the server does not know.
        '--host-resolver-rules=MAP parlor.example 127.0.0.1',
      ],
    },
  },
});
