// The table of verbs in the order of `--help`. To add a verb, add a file of the same shape and a line here.

import type { Verb } from './verb.js';
import { adviseVerb } from './verb-advise.js';
import { brokerVerb } from './verb-broker.js';
import { bundleVerb } from './verb-bundle.js';
import { checkVerb } from './verb-check.js';
import { compareVerb } from './verb-compare.js';
import { compileVerb } from './verb-compile.js';
import { convertVerb } from './verb-convert.js';
import { deployVerb } from './verb-deploy.js';
import { devicesVerb } from './verb-devices.js';
import { doctorVerb } from './verb-doctor.js';
import { evaluateVerb } from './verb-evaluate.js';
import { exportVerb } from './verb-export.js';
import { flashVerb } from './verb-flash.js';
import { inspectVerb } from './verb-inspect.js';
import { keysVerb } from './verb-keys.js';
import { optimizeVerb } from './verb-optimize.js';
import { pushVerb } from './verb-push.js';
import { quantizeVerb } from './verb-quantize.js';
import { rolloutVerb } from './verb-rollout.js';
import { runVerb } from './verb-run.js';
import { serveVerb } from './verb-serve.js';
import { simulateDeviceVerb } from './verb-simulate-device.js';
import { targetsVerb } from './verb-targets.js';

export const verbs: readonly Verb[] = [
  inspectVerb,
  convertVerb,
  adviseVerb,
  optimizeVerb,
  quantizeVerb,
  compareVerb,
  checkVerb,
  runVerb,
  evaluateVerb,
  targetsVerb,
  compileVerb,
  exportVerb,
  bundleVerb,
  keysVerb,
  pushVerb,
  flashVerb,
  deployVerb,
  devicesVerb,
  serveVerb,
  simulateDeviceVerb,
  brokerVerb,
  rolloutVerb,
  doctorVerb,
];
