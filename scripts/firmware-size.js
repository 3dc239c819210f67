// The table of code sizes in firmware-protocol/README.md: what each part of the device side takes on a Cortex-M4. `node
// scripts/firmware-size.js` writes it; with --check it fails where a figure is off by more than a tenth (another
// compiler's code is a little longer or shorter).
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const parts = {
  'CBOR, packets, statuses': ['cbor', 'device', 'crc'],
  'console lines': ['console'],
  'OS and statistics groups': ['group_os'],
  'file group': ['group_file', 'image_writing'],
  'slots in flash, power-fail safe': ['store', 'sha256'],
  'slot images, self-test, challenge': ['image', 'signature', 'group_proof'],
  'describe, slots, inference': ['group_slots', 'group_inference', 'invoke'],
  'compressed uploads': ['compressed', 'inflate'],
  'fleets over a broker': ['fleet', 'fleet_messages'],
  'built-in int8 runtime': [
    'fixed_point',
    'flatbuffer',
    'op_conv',
    'op_dense',
    'op_pool',
    'op_simple',
    'prepare',
    'runtime',
  ],
};
const [begin, end] = ['<!-- sizes: scripts/firmware-size.js -->', '<!-- end of sizes -->'];
const readme = new URL('../firmware-protocol/README.md', import.meta.url);

const listed = execFileSync('make', ['-s', '-C', new URL('../firmware-protocol/c', import.meta.url).pathname, 'size'], {
  encoding: 'utf8',
});
const sizes = new Map([...listed.matchAll(/^\s*(\d+)\s.*\/(\w+)\.o$/gm)].map(([, text, name]) => [name, Number(text)]));
const unlisted = [...sizes.keys()].filter((name) => !Object.values(parts).flat().includes(name));
if (unlisted.length > 0) throw new Error(`no part of the table has ${unlisted.join(', ')}`);

const rows = Object.entries(parts).map(([part, files]) => [
  part,
  files.reduce((sum, file) => sum + sizes.get(file), 0),
]);
rows.push(['all of it', rows.reduce((sum, [, bytes]) => sum + bytes, 0)]);
const table = [
  '| part | code and constants, bytes |',
  '| --- | ---: |',
  ...rows.map(([part, bytes]) => `| ${part} | ${bytes.toLocaleString('en')} |`),
].join('\n');

const text = readFileSync(readme, 'utf8');
const [before, rest] = text.split(begin);
const [old, after] = rest.split(end);
if (process.argv.includes('--check')) {
  for (const [part, bytes] of rows) {
    const said = Number(
      old
        .split('\n')
        .find((line) => line.startsWith(`| ${part} |`))
        ?.split('|')[2]
        ?.replaceAll(/[ ,]/g, '') ?? 0,
    );
    if (Math.abs(said - bytes) > bytes / 10) {
      console.error(
        `firmware-protocol/README.md says ${said} bytes for ${part}; it takes ${bytes}: run node ` +
          'scripts/firmware-size.js',
      );
      process.exitCode = 1;
    }
  }
} else writeFileSync(readme, `${before}${begin}\n${table}\n${end}${after}`);
