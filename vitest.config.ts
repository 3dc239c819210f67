import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Emulated boards take their time: npm run test:boards.
    exclude: process.env.ATOLL_BOARDS === '1' ? [] : ['test/boards/**'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    testTimeout: 60_000,
    // The machine that CI runs on has two cores.
    maxWorkers: 2,
  },
});
