// Talks to each of Zephyr's SMP servers in a folder, and uploads to those that have files: whole, and interrupted after
// each chunk and begun again at once. What then lies on the server is read back here, apart from what the upload itself
// proved.
//   npm run test:zephyr -- FOLDER [--only TEXT] [--interruptions N] [--bytes N] [--without-hash]
// With --without-hash the hash command is taken for absent, as it is in Zephyr's default configuration.

import { parseArgs } from 'node:util';
import { uploadImage } from '../../dist/devices/client/index.js';
import { openDevice } from '../../dist/devices/open-device.js';
import { fileCommands, osCommands } from '../../dist/devices/protocol/index.js';
import { serversIn, start } from './servers.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    interruptions: { type: 'string', default: '30' },
    bytes: { type: 'string', default: '3000' },
    'without-hash': { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error('name the folder that holds manifest.json and the builds');
  process.exit(2);
}
const file = '/lfs1/model.bin';
const image = (seed) =>
  Uint8Array.from({ length: Number(values.bytes) }, (_, i) => (i * 31 + (i >> 7) * seed + seed) & 0xff);

async function open(uri) {
  const device = await openDevice(uri);
  if (!values['without-hash']) return device;
  const ask = device.client.ask.bind(device.client);
  const absent = { ok: false, status: { group: null, rc: 8, name: 'ENOTSUP', map: {} } };
  device.client.ask = async (command, ...rest) => (command === fileCommands.hash ? absent : ask(command, ...rest));
  return device;
}

async function readBack(client) {
  const parts = [];
  let total = null;
  for (let off = 0; total === null || off < total; ) {
    const { data, len } = await client.request(fileCommands.download, { name: file, off });
    total ??= len ?? 0;
    if (data.byteLength === 0) break;
    parts.push(data);
    off += data.byteLength;
  }
  return Buffer.concat(parts);
}

/** Closes its connection when so many chunks have been sent. @returns whether it was interrupted */
async function interrupted(uri, bytes, chunks) {
  const device = await open(uri);
  let sent = 0;
  let closed = null;
  try {
    await uploadImage(device.client, bytes, {
      path: file,
      onProgress: ({ done, total }) => {
        if (done < total && sent++ === chunks) closed = device.close();
      },
    });
    return false;
  } catch (error) {
    if (error.code !== 'DEVICE_CLOSED') throw error;
    return true;
  } finally {
    await closed;
    await device.close();
  }
}

async function whole(uri, bytes) {
  const device = await open(uri);
  try {
    const result = await uploadImage(device.client, bytes, { path: file });
    const there = await readBack(device.client);
    if (!there.equals(bytes))
      throw new Error(`reported as good by ${result.verifiedBy}, and ${there.byteLength} other bytes are there`);
    return result;
  } finally {
    await device.close();
  }
}

async function tried(uri, server) {
  const device = await open(uri);
  const lines = [];
  try {
    const { client } = device;
    await device.echo('hello');
    const { maxPacketBytes, buffers } = await client.packetLimits();
    const { output } = await client.request(osCommands.info, { format: 'sr' }).catch(() => ({ output: 'no info' }));
    lines.push(`packets of ${maxPacketBytes} bytes, ${buffers} at once; ${output}`);
    const described = await device.describe().then(
      () => 'describes itself',
      ({ code }) => code,
    );
    if (described !== 'DEVICE_FILES_ONLY') lines.push(`describe: ${described}`);
  } finally {
    await device.close();
  }
  if (!server.groups.includes('fs')) return lines;
  const first = await whole(uri, image(1));
  lines.push(
    `${first.bytes} bytes in ${(first.durationMs / 1000).toFixed(2)} s, packets of ${first.packetBytes}, ` +
      `proved by ${first.verifiedBy}`,
  );
  let interruptions = 0;
  const wanted = Number(values.interruptions);
  for (let seed = 2, chunks = 0; interruptions < wanted; seed++) {
    const bytes = image(seed);
    if (await interrupted(uri, bytes, chunks)) {
      interruptions += 1;
      chunks += 1;
    } else chunks = 0;
    await whole(uri, bytes);
  }
  lines.push(`${interruptions} interrupted and begun again at once: every one right`);
  return lines;
}

let failed = 0;
for (const server of await serversIn(folder)) {
  if (!server.name.includes(values.only)) continue;
  let running = null;
  try {
    running = await start(folder, server);
    console.log(`${server.name}\n  ${(await tried(running.uri, server)).join('\n  ')}`);
  } catch (error) {
    failed += 1;
    console.log(`${server.name}\n  FAILED ${error.code ?? ''} ${error.message}`);
  } finally {
    await running?.stop();
  }
}
console.log(failed === 0 ? 'all as they should be' : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
