// Writes vectors.json: packets of every command, a slot image and drawn bytes, for whoever implements the firmware's
// side. `node firmware-protocol/make-vectors.js` after a build; with --check it compares instead of writing.

import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import {
  CompressedReader,
  compressImage,
  drawSample,
  encodeSlotImage,
  readPrivateKey,
  SeededBytes,
} from '../dist/devices/bundle/index.js';
import {
  atollCommands,
  encodeBlockRequest,
  encodeDesired,
  encodePacket,
  encodePayload,
  encodeReported,
} from '../dist/devices/protocol/index.js';
import { otherEncodings } from './other-encodings.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const sha = Uint8Array.from({ length: 32 }, (_, i) => i);

const requests = {
  describe: {},
  slots: {},
  activate: { slot: 1, sha },
  confirm: { sha },
  erase: { slot: 0 },
  writeInput: { input: 0, off: 256, data: Uint8Array.of(1, 2, 3) },
  run: { n: 10 },
  readOutput: { output: 0, off: 0 },
  selfTest: { slot: 1 },
  challenge: { seed: 0xdeadbeef, n: 4 },
  profile: { off: 32 },
  infer: { data: Uint8Array.of(1, 2, 3, 4) },
};
const responses = {
  describe: {
    proto: 1,
    id: 'd1',
    target: 'pico',
    fw: '1.0',
    runtime: 'tflm',
    runtime_version: '2026',
    profile: 'tflm-reference',
    operators: [3, 9],
    tick_hz: 1000000,
    slots: 2,
    slot_bytes: 4096,
    align: 16,
    arena_bytes: 2048,
    key: false,
    features: ['infer', 'profile', 'stats', 'stream'],
    inflate: 4096,
  },
  slots: {
    slots: [0, 1].map((slot) => ({
      slot,
      len: 0,
      active: false,
      pending: false,
      confirmed: false,
      tested: false,
      attempts: 0,
    })),
  },
  activate: { arena: 1234 },
  confirm: {},
  erase: {},
  writeInput: { off: 259 },
  run: { n: 10, ticks: 123450 },
  readOutput: { off: 0, data: Uint8Array.of(9, 8), len: 2 },
  selfTest: { vectors: 4, failed: 0, max_lsb: 0, ticks: 4000, arena: 1234 },
  challenge: { n: 4, crc: 0xcbf43926 },
  profile: { ops: [[3, 100]] },
  infer: { data: Uint8Array.of(9, 8), ticks: [12345, 12345] },
};

const packets = Object.entries(atollCommands).map(([key, command], sequence) => {
  const packet = (op, map) =>
    hex(
      encodePacket({
        version: 1,
        op,
        group: command.group,
        sequence,
        command: command.id,
        payload: encodePayload(map),
      }),
    );
  return {
    command: command.name,
    request: packet(command.op, requests[key]),
    response: packet(command.op + 1, responses[key]),
  };
});

const model = Uint8Array.from({ length: 20 }, (_, i) => i);
const manifest = {
  version: '1',
  target: 'pico',
  profile: 'tflm-reference',
  agreement: 'exact',
  operators: [9, 25],
  arena: 1234,
};
// A key whose 32 secret bytes are 0 to 31: Ed25519 signs the same bytes the same way every time.
const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), sha]);
const keyOf = (der) =>
  readPrivateKey(
    createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }),
    'the key of the vectors',
  );
const key = keyOf(pkcs8);
const stranger = keyOf(Buffer.concat([pkcs8.subarray(0, -32), Buffer.from(sha).reverse()]));
const vectors = [{ seed: 1, output: Uint8Array.of(1, 2, 3) }];
const compressible = Uint8Array.from({ length: 1300 }, (_, i) => (i % 90 < 40 ? 0 : (i * 7) & 0xff));
const tensor = (type, bytes) => ({ index: 0, name: '', type, shape: [bytes], bytes, quantization: null });
const desired = {
  rollout: 'spring',
  attempt: 2,
  sha,
  len: 2500,
  block: 1024,
  seed: 0xdeadbeef,
  deadline: 4000000000,
  pull: true,
  outputs: true,
};
const about = { rollout: 'spring', attempt: 2, sha };
const measured = {
  vectors: 4,
  failed: 0,
  arena: 1234,
  runs: 30,
  median_us: 100,
  p95_us: 120,
  samples: 50,
  correct: 48,
  crc: 0xcbf43926,
  outputs: Uint8Array.of(1, 2),
};
const fleet = {
  desired: [desired, { rollout: 'r', sha, len: 1, block: 512, seed: 0 }].map((message) => ({
    ...message,
    sha: hex(message.sha),
    encoded: hex(encodeDesired(message)),
  })),
  // Keys in the order in which the C side writes them: any order is right.
  reported: [
    { seq: 190000000001, target: 'pico', state: 'idle' },
    { seq: 2, target: 'pico', tags: { line: 'a' }, state: 'confirmed', ...about, model: sha, ...measured },
    { seq: 3, target: 'pico', state: 'failed', ...about, code: 'HASH_MISMATCH', detail: 'why' },
  ].map((message) => hex(encodeReported(message))),
  blockRequest: hex(encodeBlockRequest({ sha, from: 1, n: 2 })),
};
const file = new URL('vectors.json', import.meta.url);
const before = JSON.parse(await readFile(file, 'utf8').catch(() => '{}'));

/**
 * Deflate has many forms of the same bytes, and versions of zlib differ: a stream that is there and gives the image
 * stays.
 */
function compressed(firstBlock, index) {
  const known = before.compressed?.[index];
  const vector = { image: hex(compressible), blockBytes: 512, firstBlock, stream: known?.stream ?? '' };
  const blocks = new CompressedReader().add(Buffer.from(vector.stream, 'hex'));
  const same = Buffer.concat(blocks.map(({ bytes }) => bytes)).equals(compressible.subarray(512 * firstBlock));
  return same ? vector : { ...vector, stream: hex(compressImage(compressible, 512, firstBlock)) };
}

const document = {
  packets,
  slotImage: {
    model: hex(model),
    manifest,
    vectors: vectors.map(({ seed, output }) => ({ seed, output: hex(output) })),
    image: hex(encodeSlotImage(model, manifest, vectors)),
  },
  signedSlotImage: {
    publicKey: hex(key.raw),
    keyId: hex(key.id),
    counter: 7,
    image: hex(encodeSlotImage(model, { ...manifest, counter: 7 }, vectors, key)),
  },
  // Of the same key but the last two: one of another, one without any.
  slotStates: [
    [1, key],
    [5, key],
    [6, key],
    [9, stranger],
    [9, null],
  ].map(([counter, signer], i) => ({
    counter,
    trusted: signer === key,
    image: hex(encodeSlotImage(Uint8Array.of(0x4d, i), { ...manifest, counter }, [], signer)),
  })),
  compressed: [0, 2].map(compressed),
  fleet,
  drawn: [0, 1, 2, 0xdeadbeef].map((seed) => ({
    seed,
    int8: hex(drawSample(new SeededBytes(seed), [tensor('int8', 16)])),
    float32: hex(drawSample(new SeededBytes(seed), [tensor('float32', 16)])),
  })),
};

document.otherEncodings = otherEncodings(Buffer.from(document.signedSlotImage.image, 'hex'), model.length, key);

const text = `${JSON.stringify(document, null, 2)}\n`;
if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8')) !== text) {
    console.error('firmware-protocol/vectors.json is not what this build computes: the wire format has changed');
    process.exitCode = 1;
  }
} else await writeFile(file, text);
