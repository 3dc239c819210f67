// What a memory plan saves: the planned part of the arena before and after, and the least that is possible, for every
// model of a folder.
//   node bench/memory-plans.js FOLDER
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { readModel } from '../dist/formats/tflite/index.js';
import { planMemory } from '../dist/optimize/passes/index.js';
import { referenceKernels, simulates } from '../dist/simulator/index.js';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node bench/memory-plans.js FOLDER');
const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.tflite')).sort();
const plans = [];
for (const file of files) {
  const model = readModel(new Uint8Array(await readFile(path.join(folder, file))), file);
  if (simulates(model)) plans.push({ file, plan: planMemory(model, referenceKernels) });
}
const row = ({ file, plan: { headBytesBefore, headBytes, lowerBoundBytes, provenOrder } }) =>
  `| ${path.basename(file, '.tflite')} | ${headBytesBefore} | ${headBytes} | ${lowerBoundBytes} | ` +
  `${(100 * (1 - headBytes / headBytesBefore)).toFixed(1)} % | ${provenOrder ? 'yes' : 'no'} |`;
const smaller = plans.filter(({ plan }) => plan.headBytes < plan.headBytesBefore);
const atBound = plans.filter(({ plan }) => plan.headBytes === plan.lowerBoundBytes && plan.provenOrder).length;
console.log(
  `${plans.length} models: ${smaller.length} smaller, ${atBound} as small as any order and placement allow, ` +
    'none larger\n',
);
console.log(
  '| model | planned by TFLM | with a plan | least possible | saved | proven |\n| --- | --- | --- | --- | --- | --- |',
);
for (const one of smaller) console.log(row(one));
if (plans.some(({ plan }) => plan.headBytes > plan.headBytesBefore)) process.exitCode = 1;
