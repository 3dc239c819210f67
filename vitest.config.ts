import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Emulated boards, fleets, brokers and clients of others have suites of their own: npm run test:boards,
    // test:fleets, test:brokers, test:clients.
    exclude:
      process.env.ATOLL_SUITE === undefined
        ? ['test/boards/**', 'test/fleets/**', 'test/brokers/**', 'test/clients/**']
        : [],
    reporters: ['default', './test/support/summary-reporter.ts'],
    testTimeout: 60_000,
    // What a user's own runs have learned of devices is neither read nor changed.
    env: { XDG_STATE_HOME: mkdtempSync(path.join(os.tmpdir(), 'atoll-state-')) },
    // The machine that CI runs on has two cores.
    maxWorkers: 2,
  },
});
