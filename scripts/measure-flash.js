// How much flash TFLite Micro's interpreter takes, and the operators of a model on top of it: links a program with no
// operator, and one for each, with arm-none-eabi-g++, and reads from the linker's maps which pieces of code each has.
// Pieces are grouped by the operators that need them, so that code that several share counts once. Writes
// targets/flash/tflite-micro.yaml.
//   node scripts/measure-flash.js FOLDER
// FOLDER holds checkouts of tflite-micro, CMSIS-NN, CMSIS_6, flatbuffers, gemmlowp and ruy, under these names. What is
// compiled stays in it, so that a run that was ended goes on where it was.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { loadOperatorSet } from '../dist/targets/index.js';
import { resolverMethod, typedHeaders, typedRegistrations } from '../dist/targets/op-resolver.js';

const run = promisify(execFile);
const root = process.argv[2];
if (root === undefined) throw new Error('usage: node scripts/measure-flash.js FOLDER');
const tflm = path.join(root, 'tflite-micro');
const cmsisNn = path.join(root, 'CMSIS-NN');

const cores = {
  'Cortex-M4': ['-mcpu=cortex-m4', '-mfpu=fpv4-sp-d16', '-mfloat-abi=hard'],
  'Cortex-M0+': ['-mcpu=cortex-m0plus', '-mfloat-abi=soft'],
  'Cortex-M55': ['-mcpu=cortex-m55', '-mfloat-abi=hard'],
};
const common = [
  '-mthumb',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-exceptions',
  '-DNDEBUG',
  '-DTF_LITE_STATIC_MEMORY',
  '-fno-threadsafe-statics',
];
const includes = [
  tflm,
  path.join(root, 'gemmlowp'),
  path.join(root, 'flatbuffers/include'),
  path.join(root, 'ruy'),
  cmsisNn,
  path.join(cmsisNn, 'Include'),
  path.join(root, 'CMSIS_6/CMSIS/Core/Include'),
].flatMap((folder) => ['-I', folder]);

/** Sources of a folder, without what only tests and other hosts need. */
async function sources(folder, extension = '.cc') {
  const files = await readdir(path.join(tflm, folder));
  return files
    .filter(
      (file) => file.endsWith(extension) && !/test|mock|fake|recording|hexdump|debug_log|generated_data/.test(file),
    )
    .map((file) => path.join(tflm, folder, file));
}

async function inParallel(jobs, work) {
  const results = new Array(jobs.length);
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const at = next++;
      results[at] = await work(jobs[at], at);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

/** One object for all: the linker is told which of the functions main calls, and drops the others. */
const program = (uses) => `
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
${Object.values(typedHeaders)
  .map((header) => `#include "${header}"`)
  .join('\n')}
using Resolver = tflite::MicroMutableOpResolver<1>;
unsigned char arena[1024];
const unsigned char model[] = {0};
extern "C" {
void DebugLog(const char*, va_list) {}
int DebugVsnprintf(char*, size_t, const char*, va_list) { return 0; }
void use(Resolver&);
void use_none(Resolver&) {}
${uses.map(({ name, call }) => `void use_${name}(Resolver& resolver) { resolver.${call}; }`).join('\n')}
}
int main() {
  static Resolver resolver;
  use(resolver);
  static tflite::MicroInterpreter interpreter(tflite::GetModel(model), resolver, arena, sizeof arena);
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;
  return interpreter.Invoke();
}
`;

async function measure(kernels, core) {
  const folder = path.join(root, `build-${kernels}-${core}`);
  await mkdir(folder, { recursive: true });
  const flags = [
    ...cores[core],
    ...common,
    ...includes,
    ...(kernels === 'cmsis-nn' ? ['-DCMSIS_NN', '-DKERNELS_OPTIMIZED_FOR_SPEED'] : []),
  ];
  const compile = async (file, extra, object) => {
    const compiler = file.endsWith('.c')
      ? ['arm-none-eabi-gcc', '-std=c11', '-w']
      : ['arm-none-eabi-g++', '-std=c++17', '-fno-rtti', '-fpermissive', '-w'];
    await run(compiler[0], [...compiler.slice(1), ...flags, ...extra, '-c', file, '-o', `${object}.part`], {
      maxBuffer: 2 ** 26,
    });
    await rename(`${object}.part`, object);
    return object;
  };
  const own = kernels === 'cmsis-nn' ? await sources('tensorflow/lite/micro/kernels/cmsis_nn') : [];
  const replaced = new Set(own.map((file) => path.basename(file)));
  const kernelFiles = [
    ...(await sources('tensorflow/lite/micro/kernels')).filter((file) => !replaced.has(path.basename(file))),
    ...own,
  ];
  const core0 = [
    'tensorflow/lite/micro',
    'tensorflow/lite/micro/arena_allocator',
    'tensorflow/lite/micro/memory_planner',
    'tensorflow/lite/micro/tflite_bridge',
    'tensorflow/lite/core/api',
    'tensorflow/lite/core/c',
    'tensorflow/lite/kernels',
    'tensorflow/lite/kernels/internal',
    'tensorflow/lite/kernels/internal/reference',
    'tensorflow/compiler/mlir/lite/core/api',
    'tensorflow/compiler/mlir/lite/schema',
  ];
  const coreFiles = (await Promise.all(core0.map((one) => sources(one).catch(() => [])))).flat();
  const library = [];
  if (kernels === 'cmsis-nn') {
    const source = path.join(cmsisNn, 'Source');
    const files = (await readdir(source, { recursive: true })).filter(
      (file) => file.endsWith('.c') && !/_(f16|f32)\.c$/.test(file),
    );
    library.push(...files.map((file) => [path.join(source, file), ['-Ofast']]));
  }
  const jobs = [...coreFiles.map((file) => [file, ['-Os']]), ...kernelFiles.map((file) => [file, ['-O2']]), ...library];
  const objects = await inParallel(jobs, ([file, extra], i) => {
    const object = path.join(folder, `${i}.o`);
    if (existsSync(object)) return object;
    // GCC 12 writes instructions for the M55 that its assembler refuses; with less optimization it does not.
    return compile(file, extra, object).catch(() => compile(file, [...extra, '-O1', '-fno-if-conversion'], object));
  });
  const archive = path.join(folder, 'tflm.a');
  await run('arm-none-eabi-ar', ['rcs', archive, ...objects], { maxBuffer: 2 ** 26 });
  const uses = operators.flatMap((op) => [
    { op, type: 'any', name: op, call: `${resolverMethod(op)}()` },
    ...(kernels === 'cmsis-nn' ? (typedRegistrations[op] ?? []) : []).map((type) => {
      const registration = `${op}_${type.toUpperCase()}`;
      return { op, type, name: registration, call: `${resolverMethod(op)}(tflite::Register_${registration}())` };
    }),
  ]);
  const source = path.join(folder, 'main.cc');
  await writeFile(source, program(uses));
  const main = await compile(source, ['-Os'], path.join(folder, 'main.o'));
  /** Bytes by piece: an input section of an object that the linker kept in flash. */
  const piecesWith = async (name) => {
    const [image, map] = ['elf', 'map'].map((extension) => path.join(folder, `main.${extension}.${name}`));
    const linking = [
      '-mthumb',
      '--specs=nano.specs',
      '--specs=nosys.specs',
      '-Wl,--gc-sections',
      `-Wl,--defsym,use=use_${name}`,
      `-Wl,-Map=${map}`,
      '-w',
    ];
    await run('arm-none-eabi-g++', [...cores[core], ...linking, main, archive, '-lm', '-o', image]);
    const pieces = piecesOf(await readFile(map, 'utf8'));
    await Promise.all([rm(image), rm(map)]);
    return pieces;
  };
  const base = await piecesWith('none');
  const groups = new Map();
  const programs = await inParallel(uses, ({ name }) => piecesWith(name));
  const owners = new Map();
  programs.forEach((pieces, u) => {
    for (const [piece, size] of pieces) {
      // What the interpreter has already may be a little larger here: the linker joins constants.
      const more = size - (base.get(piece) ?? 0);
      if (more <= 0) continue;
      const known = owners.get(piece) ?? { size: more, mask: 0n };
      owners.set(piece, { size: Math.max(known.size, more), mask: known.mask | (1n << BigInt(u)) });
    }
  });
  for (const { size, mask } of owners.values()) groups.set(mask, (groups.get(mask) ?? 0) + size);
  const interpreterBytes = [...base.values()].reduce((sum, size) => sum + size, 0);
  const shared = [...groups].map(([mask, size]) => [size, mask.toString(16)]).sort((a, b) => b[0] - a[0]);
  return {
    kernels,
    core,
    interpreterBytes,
    operators: uses.map(({ op, type }) => (type === 'any' ? op : `${op} ${type}`)),
    shared,
  };
}

/**
 * Input sections that the map lists in output sections which lie in flash: code, constants, and initial values of data.
 */
function piecesOf(map) {
  const pieces = new Map();
  const text = map.slice(map.indexOf('Linker script and memory map'));
  let output = '';
  let pending = null;
  for (const line of text.split('\n')) {
    const section = /^(\.[\w.]+)/.exec(line)?.[1];
    if (section !== undefined) output = section;
    if (
      ![
        '.text',
        '.rodata',
        '.data',
        '.ARM.exidx',
        '.ARM.extab',
        '.init_array',
        '.fini_array',
        '.init',
        '.fini',
        '.eh_frame',
      ].includes(output)
    )
      continue;
    const [, name = pending, size, object] =
      /^ (\.[^\s]+|\*fill\*)?\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(?: (\S.*))?$/.exec(line) ?? [];
    // Long names stand alone on the line before.
    pending = /^ (\.[^\s]+)$/.exec(line)?.[1] ?? null;
    if (size === undefined || name === null || object === undefined) continue;
    const key = `${name} ${object.split('/').at(-1)}`;
    pieces.set(key, (pieces.get(key) ?? 0) + Number.parseInt(size, 16));
  }
  return pieces;
}

const operators = Object.keys((await loadOperatorSet('tflite-micro')).operators);
const { stdout: compiler } = await run('arm-none-eabi-g++', ['--version']);
const file = new URL('../targets/flash/tflite-micro.yaml', import.meta.url);
const head = `# Written by scripts/measure-flash.js: bytes of flash of a linked program without operators, and the
# parts of code that operators add to it. Each part has its size in bytes and a bit mask of the operators that need it
# (the lowest bit is the first operator): it is linked if the program has one of them.
# ${compiler.split('\n')[0]}; interpreter -Os, kernels -O2, CMSIS-NN -Ofast, newlib-nano, sections collected.
`;
const linesOf = ({ kernels, core, interpreterBytes, operators: names, shared }) =>
  `- kernels: ${kernels}\n  core: ${core}\n  interpreterBytes: ${interpreterBytes}\n  operators: ` +
  `[${names.join(', ')}]\n  pieces:\n${shared.map(([size, mask]) => `    - [${size}, '${mask}']\n`).join('')}`;
const builds = [];
for (const core of Object.keys(cores)) {
  for (const kernels of ['reference', 'cmsis-nn']) {
    builds.push(linesOf(await measure(kernels, core)));
    await writeFile(file, head + builds.join(''));
    console.log(`${kernels} on ${core} measured`);
  }
}
