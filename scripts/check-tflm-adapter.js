// Compiles the TFLM adapter against checkouts of tflite-micro and flatbuffers, for a Cortex-M4 and for this machine:
// `node scripts/check-tflm-adapter.js TFLM FLATBUFFERS`. CI has neither, so this is run by hand when the adapter or TFLM changes.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const [tflm, flatbuffers] = process.argv.slice(2);
if (flatbuffers === undefined) {
  console.error('usage: node scripts/check-tflm-adapter.js TFLM FLATBUFFERS (folders of checkouts)');
  process.exit(2);
}
const firmware = fileURLToPath(new URL('../firmware-protocol/c', import.meta.url));
const common = ['-std=c++17', '-Os', '-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra', '-Werror', '-DTF_LITE_STATIC_MEMORY'];
const includes = ['-I', path.join(firmware, 'include'), '-isystem', tflm, '-isystem', path.join(flatbuffers, 'include')];
for (const [compiler, ...flags] of [['arm-none-eabi-g++', '-mcpu=cortex-m4', '-mthumb'], ['g++']]) {
  execFileSync(compiler, [...flags, ...common, ...includes, '-c', path.join(firmware, 'adapters/tflm/atoll_tflm.cc'), '-o', '/dev/null'], { stdio: 'inherit' });
  console.log(`${compiler}: compiles`);
}
