// Checks the public API: docs/library.api.md must describe what dist/index.d.ts exports, and every type that an export
// takes or returns must be exported too. After an intended change run `npm run api`, and commit the report.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('..', import.meta.url));
const report = path.join(root, 'docs', 'library.api.md');

/** Constants from which exported types are derived, and the schema of the model file; their names are internal. */
const internal = new Set([
  'Infer',
  'Model',
  'Reader',
  'atollCommands',
  'dataTypes',
  'datasetSchema',
  'devicePhases',
  'faultNames',
  'gateActions',
  'keyAlgorithms',
  'kinds',
  'linkedSizesSchema',
  'manifestSchema',
  'operatorSetSchema',
  'rangeMethods',
  'repairNames',
  'reportedSchema',
  'schema',
  'slot',
  'targetFields',
  'timedPhases',
  'vectorsSchema',
  'weekdays',
]);

const config = ExtractorConfig.loadFileAndPrepare(path.join(root, 'api-extractor.json'));
const { apiReportChanged } = Extractor.invoke(config, {
  localBuild: false,
  messageCallback: (message) => {
    message.handled = true;
  },
});
const forgotten = [...readFileSync(report, 'utf8').matchAll(/The symbol "(\w+?)(?:_\d+)?" needs to be exported/g)]
  .map(([, name]) => name)
  .filter((name) => !internal.has(name));
for (const name of new Set(forgotten))
  console.error(`${name} is part of the public API, but src/index.ts does not export it`);
if (apiReportChanged) console.error('the public API has changed: run `npm run api` and commit docs/library.api.md');
if (apiReportChanged || forgotten.length > 0) process.exitCode = 1;
