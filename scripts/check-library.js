// Compiles and runs examples/library in an empty folder against the packed tarball, as a user would, and starts the
// command from there.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'atoll-library-'));
const run = (program, args, cwd = folder) =>
  execFileSync(program, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });

try {
  // Built already; without scripts, so that packing does not build again.
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
  );
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const tools = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`);
  run('npm', ['install', '--no-fund', '--no-audit', '--silent', path.join(folder, filename), ...tools]);
  copyFileSync(path.join(root, 'examples', 'library', 'main.ts'), path.join(folder, 'main.ts'));
  run(path.join(folder, 'node_modules', '.bin', 'tsc'), [
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
    ...['--target', 'ES2023', '--module', 'NodeNext', '--types', 'node'],
    'main.ts',
  ]);
  const output = run(process.execPath, ['main.js', path.join(root, 'examples', 'digits', 'digits_float.tflite')]);
  process.stdout.write(output);
  for (const expected of [
    /^fits: true/m,
    /^confirmed, self-test 0 of \d+ failed$/m,
    /^latency on the device: .*simulated/m,
  ])
    if (!expected.test(output)) throw new Error(`the example printed nothing that matches ${expected}`);
  // With the dependencies of the package alone.
  const { schema } = JSON.parse(run(path.join(folder, 'node_modules', '.bin', 'atoll'), ['targets', '--json']));
  const { $id } = JSON.parse(
    readFileSync(path.join(folder, 'node_modules', 'atoll-agent', 'schemas', 'targets.json'), 'utf8'),
  );
  if (schema !== $id) throw new Error(`the command printed ${schema}, whose schema in the package is ${$id}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
