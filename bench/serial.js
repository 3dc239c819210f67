// How near an upload comes to what a serial line of 115,200 baud allows: a simulated device behind a pseudo-terminal
// that is as slow as such a line. The bound is what framing, chunks and answers cost on the line, and for one chunk at
// a time a turnaround for each (the median of echoes); with several chunks on their way, answers travel beside requests
// and nothing is waited for. Needs socat. `node bench/serial.js`, after a build.
import { spawn } from 'node:child_process';
import { lineBound, uploadImage } from '../dist/devices/client/index.js';
import { openDevice } from '../dist/index.js';

const baud = 115_200;
const fileBytes = 54_000;
/** Another one each time: what is there already would not be sent. */
const fileFor = (window) => Uint8Array.from({ length: fileBytes }, (_, i) => ((i + window) * 2654435761) >>> 24);

const child = spawn(
  process.execPath,
  ['bin/atoll.js', 'simulate-device', '--target', 'pico', '--listen', `pty:?baud=${baud}`, '--json'],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
const uri = await new Promise((resolve) =>
  child.stdout.on('data', (text) => resolve(/"uri": "([^"]+)"/.exec(text)?.[1])),
);

const rows = [];
for (const window of [1, 2, 4]) {
  const device = await openDevice(`${uri}?baud=${baud}`);
  const { client } = device;
  const { maxPacketBytes } = await client.packetLimits();
  const bound = lineBound(client, '/atoll/inactive', fileBytes, maxPacketBytes);
  const echoes = [];
  for (let i = 0; i < 21; i++) echoes.push(await device.echo(''));
  const echoLineMs = (1000 * 2 * client.line.wireBytes(12)) / client.line.bytesPerSecond;
  const turnaroundMs = Math.max(0, echoes.sort((a, b) => a - b)[10] - echoLineMs);
  const boundMs = window === 1 ? bound.lineMs + bound.requests * turnaroundMs : bound.requestLineMs;
  const { durationMs } = await uploadImage(client, fileFor(window), { window, blockBytes: null });
  rows.push({
    window,
    requests: bound.requests,
    'turnaround ms': turnaroundMs.toFixed(2),
    'bound s': (boundMs / 1000).toFixed(3),
    'took s': (durationMs / 1000).toFixed(3),
    'efficiency %': ((100 * boundMs) / durationMs).toFixed(1),
  });
  await device.close();
}
console.log(`${fileBytes} bytes at ${baud} baud`);
console.table(rows);
child.kill('SIGINT');
