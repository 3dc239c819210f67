// Runs scripts in the Python environment that has the reference runtimes.

import { spawn } from 'node:child_process';

/** @param {{python?: string}} options exits if no Python is named */
export function pythonOf(options) {
  const python = options.python ?? process.env.ATOLL_SWEEP_PYTHON;
  if (python !== undefined) return python;
  process.stderr.write(
    'sweep: name a Python that has the packages of test/sweep/requirements.txt: --python PYTHON, or ' +
      'ATOLL_SWEEP_PYTHON\n',
  );
  process.exit(2);
}

/** Runs a script of this folder. @throws with its error output */
export async function runScript(python, script, args) {
  const child = spawn(python, [new URL(script, import.meta.url).pathname, ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-4000);
  });
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${errors}`);
}
