// Where the fuzzer of fleets begins: a desire, and blocks of it. `node fleet-seeds.js FOLDER`.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';

const folder = process.argv[2];
const { fleet } = JSON.parse(readFileSync(new URL('../../vectors.json', import.meta.url), 'utf8'));
const message = (kind, payload) =>
  Buffer.concat([Buffer.from([kind, payload.length & 255, payload.length >> 8]), payload]);
const desires = fleet.desired.map(({ encoded }) => Buffer.from(encoded, 'hex'));

/** An image that the fake runtime takes, in the place of that of the vector. */
const image = Buffer.alloc(1, 'M');
const small = Buffer.from(desires[1]);
createHash('sha256')
  .update(image)
  .digest()
  .copy(small, small.indexOf(Buffer.from(fleet.desired[1].sha, 'hex')));

const seeds = {
  desire: message(0, desires[0]),
  small: Buffer.concat([
    message(0, small),
    message(3, deflateRawSync(image)),
    message(2, Buffer.alloc(8)),
    message(0, Buffer.alloc(0)),
  ]),
  pulled: Buffer.concat([message(0, desires[0]), message(1, Buffer.from(fleet.blockRequest, 'hex'))]),
};
mkdirSync(folder, { recursive: true });
for (const [name, bytes] of Object.entries(seeds)) writeFileSync(path.join(folder, name), bytes);
