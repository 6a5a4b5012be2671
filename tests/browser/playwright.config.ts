//! The apps in a real browser against the real program. `npm test` here, or `tests/run`.

import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  outputDir: '../../target/browser',
  // A whole match between two phones takes a minute on a slow machine.
  timeout: 180_000,
  expect: { timeout: 15_000 },
  // Each file has a box of its own; the machines that run this have two cores.
  workers: 1,
  forbidOnly: true,
  reporter: [['list']],
  use: {
    viewport: { width: 360, height: 640 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
    locale: 'en-NG',
    timezoneId: 'Africa/Lagos',
    trace: 'off',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // Debian's Chromium starts in up to 14 s when it is cold.
      timeout: 60_000,
      args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP whot.local 127.0.0.1'],
    },
  },
});
