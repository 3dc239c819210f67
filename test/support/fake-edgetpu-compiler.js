#!/usr/bin/env node
// A program that behaves as edgetpu_compiler does, as far as Atoll can tell: it writes the compiled file FAKE_OUTPUT
// and a log, or fails on models with the operator FAKE_FAILS.
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { mainSubgraph, operatorName, readModel } from '../../dist/formats/tflite/index.js';

const args = process.argv.slice(2);
const file = args.at(-1);
const model = readModel(new Uint8Array(readFileSync(file)), file);
const names = mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
console.log('Edge TPU Compiler version 16.0.384591198');
if (names.includes(process.env.FAKE_FAILS)) {
  console.log('\nInternal compiler error. Aborting! ');
  process.exit(1);
}
copyFileSync(process.env.FAKE_OUTPUT, path.join(args[args.indexOf('-o') + 1], 'model_edgetpu.tflite'));
const rows = [...new Set(names)].map(
  (name) => `${name}  ${names.filter((other) => other === name).length}  Mapped to Edge TPU`,
);
const facts = [
  'Model compiled successfully in 12 ms.',
  'On-chip memory used for caching model parameters: 64.00B',
  'Off-chip memory used for streaming uncached model parameters: 0.00B',
  'Number of Edge TPU subgraphs: 1',
  `Total number of operations: ${names.length}`,
];
console.log(['', ...facts, '', ...rows].join('\n'));
