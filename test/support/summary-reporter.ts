// The last line of a test run: how many passed, failed and were skipped, so that nobody mistakes a skip for a pass.

import type { Reporter, TestModule } from 'vitest/node';
import { sharedFolder, sharedPresent } from './shared.js';
import { missingTools } from './tools.js';

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      // A file that cannot be loaded has no tests, and is a failure all the same.
      if (module.errors().length > 0) counts.failed += 1;
    }
    if (!sharedPresent) console.log(`tests that need ${sharedFolder} were skipped; set ATOLL_SHARED to run them`);
    const missing = missingTools();
    if (missing.length > 0)
      console.log(`tests that need ${missing.join(', ')} were skipped; CONTRIBUTING.md says where these come from`);
    console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped + counts.pending} skipped`);
  }
}
