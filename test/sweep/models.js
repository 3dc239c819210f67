// Tests Atoll on folders of models, compared with TensorFlow and TFLite Micro.
//
//   npm run sweep:models -- --python PYTHON --out FOLDER [--without tflm] [--minutes 10] [--only TEXT] FOLDER...
//
// For each .tflite file: inspect; a run in every profile against its runtime, tensor by tensor; quantization in each
// scheme, the result run in those runtimes; check on every target. What a runtime runs and Atoll refuses is named with
// its operators. Reports are kept in the output folder, one for each model: a run that was interrupted goes on where it
// stood. Ends with a table of totals, and with status 1 where Atoll and a runtime differ, or where Atoll fails uncoded.

import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { agreed, profileOf } from './judge.js';
import { pythonOf } from './python.js';

const { values: options, positionals: folders } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string' },
    out: { type: 'string', default: 'models-report' },
    without: { type: 'string', multiple: true, default: [] },
    minutes: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
  },
});
const python = pythonOf(options);
const runtimes = Object.keys(profileOf).filter((runtime) => !options.without.includes(runtime));

await mkdir(options.out, { recursive: true });
const files = (await Promise.all(folders.map(modelsOf))).flat().filter((file) => file.includes(options.only));
const reports = [];
const waiting = [...files];
await Promise.all([work(), work()]);
await writeFile(path.join(options.out, 'table.tsv'), table(reports));
process.stdout.write(totals(reports));

async function modelsOf(folder) {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith('.tflite'))
    .toSorted()
    .map((name) => path.join(folder, name));
}

async function work() {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    reports.push(await reportOn(file));
    process.stderr.write(
      `${reports.length} of ${files.length}: ${path.basename(file)}: ${outcomeOf(reports.at(-1))}\n`,
    );
  }
}

async function reportOn(file) {
  const kept = path.join(options.out, `${path.basename(file, '.tflite')}.json`);
  const known = await readFile(kept, 'utf8').catch(() => null);
  if (known !== null) return JSON.parse(known);
  const report = { bytes: (await stat(file)).size, ...(await tryModel(file)) };
  await writeFile(kept, JSON.stringify(report, null, 1));
  return report;
}

/** Runs the report in a separate process with a time limit. */
async function tryModel(file) {
  const script = new URL('model-report.js', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--max-old-space-size=6000', script, python, file, runtimes.join(',')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text.out += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part) => {
    text.err = (text.err + part).slice(-2000);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), Number(options.minutes) * 60_000);
  const code = await new Promise((resolve) => {
    child.on('close', (exit, signal) => resolve(signal ?? exit));
  });
  clearTimeout(timer);
  const name = path.basename(file, '.tflite');
  if (code === 'SIGKILL') return { name, failed: `not done after ${options.minutes} minutes` };
  return code === 0 ? JSON.parse(text.out) : { name, failed: `ended with ${code}: ${text.err}` };
}

/** Summary of a report in one or two words. */
function outcomeOf(report) {
  if (report.failed !== undefined) return 'failed';
  if (report.read !== 'ok') return 'not read';
  const verdicts = disagreements(report).map(([, { verdict }]) => verdict);
  if (verdicts.some((verdict) => verdict !== 'atoll refuses')) return 'differs';
  if (verdicts.length > 0) return 'refused here';
  return ranSomewhere(report) ? 'runs' : 'refused';
}

function ranSomewhere({ ran = {} }) {
  return Object.values(ran).some(({ verdict }) => verdict === 'same' || verdict === 'documented');
}

function disagreements({ ran = {}, schemes = {} }) {
  const own = Object.entries(ran).map(([profile, verdict]) => [profile, verdict]);
  const made = Object.entries(schemes).flatMap(([scheme, { ran: verdicts = {} }]) =>
    Object.entries(verdicts).map(([profile, verdict]) => [`${scheme} ${profile}`, verdict]),
  );
  return [...own, ...made].filter(([, { verdict }]) => verdict !== undefined && !agreed.includes(verdict));
}

function table(all) {
  const head = [
    'model',
    'bytes',
    'outcome',
    ...Object.values(profileOf),
    'schemes',
    'check',
    'what differs or is refused',
  ];
  const rows = all
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map((report) => {
      const { name, bytes, ran = {}, schemes = {}, check = {} } = report;
      const verdicts = Object.values(profileOf).map((profile) => ran[profile]?.verdict ?? '-');
      const made = Object.entries(schemes).map(
        ([scheme, { error }]) => `${scheme} ${error === undefined ? 'ok' : error.split(':')[0]}`,
      );
      const fits = Object.entries(check).map(([outcome, count]) => `${outcome} ${count}`);
      const details = [
        report.failed ?? '',
        report.read === 'ok' ? '' : (report.read ?? ''),
        ...disagreements(report).map(
          ([where, { verdict, operator, detail }]) => `${where}: ${verdict} ${operator ?? ''} ${detail ?? ''}`,
        ),
      ].filter((detail) => detail !== '');
      return [
        name,
        bytes,
        outcomeOf(report),
        ...verdicts,
        made.join(', '),
        fits.join(', '),
        details.join(' | ').replaceAll(/\s+/g, ' ').slice(0, 600),
      ];
    });
  return [head, ...rows].map((row) => `${row.join('\t')}\n`).join('');
}

function totals(all) {
  const lines = [`${all.length} models`];
  const count = (title, keys) => {
    const tally = new Map();
    for (const key of keys) tally.set(key, (tally.get(key) ?? 0) + 1);
    lines.push(
      `${title}: ${[...tally]
        .toSorted(([, a], [, b]) => b - a)
        .map(([key, number]) => `${number} ${key}`)
        .join(', ')}`,
    );
  };
  count('outcome', all.map(outcomeOf));
  for (const profile of Object.values(profileOf))
    count(
      profile,
      all.map(({ ran }) => ran?.[profile]?.verdict ?? 'not tried'),
    );
  const schemes = [...new Set(all.flatMap(({ schemes: tried = {} }) => Object.keys(tried)))];
  for (const scheme of schemes) {
    const tried = all.flatMap(({ schemes: made = {} }) => (made[scheme] === undefined ? [] : [made[scheme]]));
    count(
      `quantized to ${scheme}`,
      tried.map(({ error }) => (error === undefined ? 'written' : error.split(':')[0])),
    );
    for (const profile of Object.values(profileOf))
      count(
        `  run on ${profile}`,
        tried.filter(({ ran }) => ran !== undefined).map(({ ran }) => ran[profile]?.verdict ?? 'not tried'),
      );
  }
  const wrong = all.filter((report) => ['failed', 'differs'].includes(outcomeOf(report)));
  process.exitCode = wrong.length === 0 ? 0 : 1;
  return `${lines.join('\n')}\n`;
}
