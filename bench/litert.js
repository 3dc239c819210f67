// LiteRT.js (Google's LiteRT in WebAssembly with XNNPACK) in Node: its loader expects a web worker.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';

const require = createRequire(import.meta.url);

/** @returns a function that compiles a model and gives `{ run, delete }`; messages of the runtime go nowhere */
export async function loadLiteRt() {
  const folder = path.join(path.dirname(require.resolve('@litertjs/core/package.json')), 'wasm');
  Object.assign(globalThis, {
    self: globalThis,
    require,
    __dirname: folder,
    __filename: path.join(folder, 'worker.js'),
    importScripts: (...files) => {
      for (const file of files) vm.runInThisContext(readFileSync(String(file), 'utf8'), { filename: String(file) });
    },
  });
  const silent = { log: () => {}, info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
  Object.assign(console, Object.fromEntries(Object.entries(silent).filter(([name]) => name !== 'log')));
  const { loadLiteRt: load, loadAndCompile, Tensor } = await import('@litertjs/core');
  await load(`${folder}/`, { threads: false });
  return async (bytes, sample) => {
    const model = await loadAndCompile(bytes, { accelerator: 'wasm' });
    const [{ dtype, shape }] = model.getInputDetails();
    const array = dtype === 'float32' ? new Float32Array(Uint8Array.from(sample).buffer) : Uint8Array.from(sample);
    const input = new Tensor(array, Array.from(shape));
    return async () => {
      const outputs = await model.run(input);
      for (const output of Object.values(outputs)) output.delete?.();
    };
  };
}
