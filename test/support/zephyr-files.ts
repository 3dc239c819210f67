// A device with files and no models, as a stock Zephyr application has them: the file group over a volume, with or without a hash command.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { fileCommands, osCommands } from '../../src/protocol/index.js';
import { handler } from '../../src/simdevice/handlers.js';
import { SmpServer } from '../../src/simdevice/server.js';
import { fileError } from '../../src/simdevice/status-error.js';
import { inProcessPair, type Transport } from '../../src/transport/index.js';

export interface ZephyrOptions {
  readonly hashes?: readonly ('sha256' | 'crc32')[];
  readonly volumeBytes?: number;
  /** Reports success for what did not fit the volume (zephyr#107081). */
  readonly silentlyFull?: boolean;
}

export function zephyrFiles({ hashes = [], volumeBytes = 100_000, silentlyFull = false }: ZephyrOptions = {}): {
  files: Map<string, Buffer>;
  transport: Transport;
} {
  const files = new Map<string, Buffer>();
  const fileOf = (name: string): Buffer => {
    const file = files.get(name);
    if (file === undefined) throw fileError('NOT_FOUND');
    return file;
  };
  const handlers = [
    handler(osCommands.params, () => ({ buf_size: 384, buf_count: 4 })),
    handler(fileCommands.status, ({ name }) => ({ len: fileOf(name).byteLength })),
    handler(fileCommands.upload, ({ name, off, data }) => {
      const before = off === 0 ? Buffer.alloc(0) : fileOf(name);
      if (off !== before.byteLength && !silentlyFull) throw fileError('OFFSET_NOT_VALID', { len: before.byteLength });
      const after = Buffer.concat([before, data]);
      if (after.byteLength > volumeBytes && !silentlyFull) throw fileError('WRITE_FAILED');
      files.set(name, after.subarray(0, volumeBytes));
      return { off: off + data.byteLength };
    }),
  ];
  const hash = handler(fileCommands.hash, ({ name, type = 'crc32', off = 0, len }) => {
    const known = hashes.find((one) => one === type);
    if (known === undefined) throw fileError('HASH_NOT_FOUND');
    const part = fileOf(name).subarray(off, len === undefined ? undefined : off + len);
    const output = known === 'crc32' ? crc32(part) : new Uint8Array(createHash('sha256').update(part).digest());
    return { type, len: part.byteLength, output };
  });
  const server = new SmpServer(hashes.length === 0 ? handlers : [...handlers, hash]);
  const [host, device] = inProcessPair('zephyr');
  device.onPacket = async (packet) => {
    const answer = await server.answer(packet);
    if (answer !== null) void device.send(answer);
  };
  return { files, transport: host };
}
