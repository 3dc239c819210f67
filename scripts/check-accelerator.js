// What an accelerator does, beside what the driver takes it to do: for everybody who has one. Starts it again and
// again, runs a model on it, compares with the simulator, and writes a report to send back. Changes nothing on it that
// outlives pulling the plug.
//   node scripts/check-accelerator.js MODEL_edgetpu.tflite
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { hintFor } from '../dist/app/advice/hints.js';
import { AtollError } from '../dist/base/errors.js';
import { findingsOf, probe } from '../dist/devices/accelerator/check/index.js';
import { EmulatedAccelerator, findFirmware } from '../dist/devices/accelerator/index.js';
import { usbDevices } from '../dist/devices/transport/index.js';
import { readModel } from '../dist/index.js';

const usage = `usage: node scripts/check-accelerator.js MODEL_edgetpu.tflite [options]

  --uncompiled FILE  the model that it was compiled from (default: the file without _edgetpu in the same folder)
  --firmware FILE    firmware, or a libedgetpu that contains it (default: as for usb:18d1:9302)
  --samples N        inferences to compare (default: 10)
  --report FILE      where to write the report (default: accelerator-report.json)
  --provoke          at the end, send invalid data, which it must refuse
  --unplug           at the end, ask the user to unplug it and to plug it in again
  --emulated         use the emulated accelerator

Unplug the accelerator and plug it in again before, so that its first start is tested too. The report contains the
transfers, the model's file name, and the versions of Node and of the system.
`;

const shownTransfers = 150;
const marks = { confirmed: 'confirmed', refuted: 'REFUTED', unseen: 'not seen' };

async function main() {
  const options = Object.fromEntries(
    ['uncompiled', 'firmware', 'samples', 'report']
      .map((name) => [name, { type: 'string' }])
      .concat(['provoke', 'unplug', 'emulated', 'help'].map((name) => [name, { type: 'boolean' }])),
  );
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [file] = positionals;
  if (values.help || file === undefined || positionals.length > 1) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const samples = Number(values.samples ?? 10);
  if (!Number.isInteger(samples) || samples < 1) throw new Error(`--samples ${values.samples}: a number from 1 on`);
  const report = values.report ?? 'accelerator-report.json';
  const uncompiledFile = values.uncompiled ?? file.replace(/_edgetpu(?=\.tflite$)/, '');
  const models = [
    {
      compiled: readModel(await readFile(file), file),
      uncompiled: readModel(await readFile(uncompiledFile), uncompiledFile),
    },
  ];
  const firmware = { path: values.firmware };
  const seen = await probe(values.emulated ? await emulatedDevices(models, firmware) : usbDevices, {
    models,
    samples,
    ...(values.firmware === undefined ? {} : { firmware }),
    timed: values.emulated !== true,
    provoke: values.provoke === true,
    ...(values.unplug ? { ask: (text) => process.stderr.write(`\n>> ${text}\n`) } : {}),
    onProgress: ({ step }) => process.stderr.write(`${step} ...\n`),
  });
  const findings = findingsOf(seen);
  await writeFile(report, `${JSON.stringify(reportOf(file, values.emulated === true, findings, seen), null, 1)}\n`);
  for (const { id, says, verdict, evidence } of findings)
    process.stdout.write(`${marks[verdict].padEnd(9)} ${id}: ${says}\n${' '.repeat(10)}${evidence}\n`);
  const count = (verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  process.stdout.write(
    `\n${count('confirmed')} confirmed, ${count('refuted')} refuted, ${count('unseen')} not seen. The report ` +
      `is ${report}: attach it to an issue of the project.\n`,
  );
  return count('refuted') > 0 || seen.runs === null ? 1 : 0;
}

/** Waits for firmware where there is some. */
async function emulatedDevices(models, search) {
  const found = await findFirmware(search);
  return new EmulatedAccelerator({ models, ...(found === null ? {} : { firmware: found.bytes }) }).devices;
}

function reportOf(file, emulated, findings, { transfers, ...observations }) {
  const shown = new Map();
  const kept = transfers.filter(({ step }) => {
    shown.set(step, (shown.get(step) ?? 0) + 1);
    return shown.get(step) <= shownTransfers;
  });
  const { platform, arch, version } = process;
  return {
    schema: 'atoll/accelerator-report/1',
    date: new Date().toISOString(),
    system: { platform, arch, node: version },
    emulated,
    model: file.split(/[/\\]/).at(-1),
    findings,
    observations,
    transfers: { all: transfers.length, firstOfEachStep: kept },
  };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const known = error instanceof AtollError ? `${error.code}: ${error.message}\n${hintFor(error)}` : error.message;
    process.stderr.write(`check-accelerator: ${known}\n`);
    process.exitCode = 2;
  },
);
