// Compiles the AssemblyScript kernels to wasm/: kernels.wasm, and kernels-checked.wasm with bounds assertions.
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = path.join(root, 'wasm');
await mkdir(target, { recursive: true });
const builds = [
  ['kernels.wasm', ['--noAssert']],
  ['kernels-checked.wasm', []],
];
for (const [name, options] of builds) {
  const half = path.join(target, `.${name}`);
  const args = [
    'src/simulator/kernels/assembly/index.ts',
    '--baseDir',
    root,
    '--enable',
    'simd',
    '-O3',
    '--runtime',
    'stub',
    '--importMemory',
    '-o',
    half,
    ...options,
  ];
  const { error, stderr } = await asc.main(args);
  const messages = stderr.toString();
  if (error !== null || messages !== '') {
    process.stderr.write(messages);
    if (error !== null) throw error;
  }
  await rename(half, path.join(target, name));
}
