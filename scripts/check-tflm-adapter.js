// The TFLM adapter with TFLite Micro itself: compiles it for this machine, links it into the firmware of the MPS2 board
// with reference kernels and with CMSIS-NN, and has that, under QEMU, take models and compute the bits of the
// simulator.
//   node scripts/check-tflm-adapter.js FOLDER [MODEL INPUT]...
// FOLDER is the one that scripts/measure-flash.js has filled: checkouts, and TFLM compiled for a Cortex-M4. CI has
// none, so this is run by hand when the adapter or TFLM changes. An INPUT is raw samples, one after another.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const [folder, ...pairs] = process.argv.slice(2);
if (folder === undefined || pairs.length % 2 !== 0) {
  console.error('usage: node scripts/check-tflm-adapter.js FOLDER [MODEL INPUT]...');
  process.exit(2);
}
const inRepository = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));
const firmware = inRepository('firmware-protocol/c');
const inFirmware = (file) => path.join(firmware, file);
const common = ['-Os', '-ffunction-sections', '-fdata-sections'];
const warnings = ['-Wall', '-Wextra', '-Werror'];
const cxx = [
  '-std=c++17',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-threadsafe-statics',
  '-DTF_LITE_STATIC_MEMORY',
  '-DNDEBUG',
];
const includes = ['include', 'src', 'ports/mps2', 'adapters/tflm'].flatMap((one) => ['-I', inFirmware(one)]);
const libraries = ['tflite-micro', 'flatbuffers/include', 'gemmlowp', 'ruy'].flatMap((one) => [
  '-isystem',
  path.join(folder, one),
]);
const board = ['-mcpu=cortex-m4', '-mthumb', '-mfpu=fpv4-sp-d16', '-mfloat-abi=hard'];

const build = mkdtempSync(path.join(tmpdir(), 'atoll-tflm-'));
try {
  execFileSync(
    'g++',
    [
      ...cxx,
      ...common,
      ...warnings,
      ...includes,
      ...libraries,
      '-c',
      inFirmware('adapters/tflm/atoll_tflm.cc'),
      '-o',
      '/dev/null',
    ],
    {
      stdio: 'inherit',
    },
  );
  console.log('for this machine: compiles');
  for (const [kernels, profile] of [
    ['reference', 'tflm-reference'],
    ['cmsis-nn', 'cmsis-nn'],
  ]) {
    const image = link(kernels, profile);
    const size = execFileSync('arm-none-eabi-size', [image]).toString().split('\n')[1].trim().split(/\s+/);
    console.log(`${kernels}: ${size[0]} bytes of code and constants`);
    for (let i = 0; i < pairs.length; i += 2) await check(image, profile, pairs[i], pairs[i + 1]);
  }
} finally {
  rmSync(build, { recursive: true, force: true });
}

function link(kernels, profile) {
  const target = `qemu-tflm-${profile}`;
  const defines = [`-DTARGET="${target}"`, '-DPSRAM=0x21000000u', `-DTFLM_PROFILE="${profile}"`];
  const compile = (compiler, flags, file) => {
    const object = path.join(build, `${kernels}-${path.basename(file)}.o`);
    execFileSync(
      compiler,
      [...board, ...flags, ...common, ...warnings, ...defines, ...includes, '-c', inFirmware(file), '-o', object],
      { stdio: 'inherit' },
    );
    return object;
  };
  const sources = execFileSync('git', ['ls-files', 'src/*.c'], { cwd: firmware }).toString().trim().split('\n');
  const objects = [...sources, 'ports/mps2/main.c', 'ports/mps2/startup.c'].map((file) =>
    compile('arm-none-eabi-gcc', ['-std=c11'], file),
  );
  objects.push(
    ...['adapters/tflm/atoll_tflm.cc', 'adapters/tflm/mps2.cc'].map((file) =>
      compile('arm-none-eabi-g++', [...cxx, ...libraries], file),
    ),
  );
  const image = path.join(build, `${kernels}.elf`);
  // Virtual destructors name free(), which wants a heap; nothing calls them.
  const linking = [
    '-T',
    inFirmware('ports/mps2/mps2.ld'),
    '-nostartfiles',
    '--specs=nano.specs',
    '--specs=nosys.specs',
    '-Wl,--gc-sections',
    '-Wl,--defsym,end=bss_end',
    '-w',
  ];
  const archive = path.join(folder, `build-${kernels}-Cortex-M4/tflm.a`);
  execFileSync('arm-none-eabi-g++', [...board, ...linking, ...objects, archive, '-lm', '-o', image], {
    stdio: 'inherit',
  });
  const runtime = `runtime: { name: TFLite Micro, kernels: ${kernels}, kernelProfile: ${profile} }`;
  writeFileSync(
    path.join(build, `${profile}.yaml`),
    `extends: qemu-mps2-an386\nid: ${target}\nname: TFLM under QEMU\n${runtime}\n`,
  );
  return image;
}

/** Pushes a model, with its self-test, and runs the inputs on the board. */
async function check(image, profile, model, input) {
  const qemu = [
    '-M',
    'mps2-an386',
    '-nodefaults',
    '-display',
    'none',
    '-monitor',
    'none',
    '-chardev',
    'pty,id=c0',
    '-serial',
    'chardev:c0',
    '-kernel',
    image,
  ];
  const child = spawn('qemu-system-arm', qemu, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const port = await new Promise((resolve, reject) => {
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (text) => {
          said += text;
          const found = /redirected to (\S+)/.exec(said)?.[1];
          if (found !== undefined) resolve(found);
        });
      }
      child.once('exit', () => reject(new Error(`QEMU ended: ${said}`)));
    });
    const target = path.join(build, `${profile}.yaml`);
    const atoll = async (...args) => {
      const command = [
        inRepository('bin/atoll.js'),
        ...args,
        '--device',
        `serial:${port}`,
        '--target',
        target,
        '--json',
      ];
      const { stdout } = await promisify(execFile)(process.execPath, command, {
        maxBuffer: 2 ** 26,
        timeout: 600_000,
      }).catch((error) => error);
      return JSON.parse(stdout);
    };
    const pushed = await atoll('push', model);
    if (pushed.state !== 'confirmed') throw new Error(JSON.stringify(pushed));
    const run = await atoll('run', model, '--input', input);
    if (run.measurement === undefined) throw new Error(JSON.stringify(run));
    const { samples, equalSamples } = run.measurement.agreement;
    console.log(
      `  ${path.basename(model)}: self-test ${pushed.selfTest.vectors} of ${pushed.selfTest.vectors}; ` +
        `${equalSamples} of ${samples} outputs equal`,
    );
    if (equalSamples !== samples) process.exitCode = 1;
  } finally {
    child.kill();
  }
}
