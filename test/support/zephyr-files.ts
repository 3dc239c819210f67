// A device with files and no models, as a stock Zephyr application has them: the file group over a volume. As in
// fs_mgmt.c a file stays open between requests; what is written shows in its length once it is closed; and a chunk at
// offset 0 does not set the expected offset of an open file back.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodePacket, fileCommands, osCommands } from '../../src/devices/protocol/index.js';
import { type Handler, handler } from '../../src/devices/simulated/handlers.js';
import { SmpServer } from '../../src/devices/simulated/server.js';
import { fileError } from '../../src/devices/simulated/status-error.js';
import { inProcessPair, type Transport } from '../../src/devices/transport/index.js';

export interface ZephyrOptions {
  readonly hashes?: readonly ('sha256' | 'crc32')[];
  readonly volumeBytes?: number;
  /** Reports success for what did not fit the volume (zephyr#107081). */
  readonly silentlyFull?: boolean;
  /** Older servers have no command that closes a file. */
  readonly closes?: boolean;
  readonly downloads?: boolean;
  /** Longer packets are lost: they come faster than the device reads its line. */
  readonly burstBytes?: number;
  /** Answers to chunks that are lost, by their number from 0. */
  readonly lostAnswers?: readonly number[];
}

const chunkBytes = 300;

export interface ZephyrDevice {
  readonly files: Map<string, Buffer>;
  readonly connect: () => Transport;
  /** How many chunks have arrived. */
  readonly chunks: () => number;
}

export function zephyrDevice(options: ZephyrOptions = {}): ZephyrDevice {
  const {
    hashes = [],
    volumeBytes = 100_000,
    silentlyFull = false,
    closes = true,
    downloads = true,
    burstBytes = Infinity,
    lostAnswers = [],
  } = options;
  const files = new Map<string, Buffer>();
  let open: { name: string; content: Buffer; off: number; length: number } | null = null;
  const release = (): void => {
    if (open !== null) files.set(open.name, open.content);
    open = null;
  };
  const fileOf = (name: string): Buffer => {
    const file = files.get(name);
    if (file === undefined) throw fileError('NOT_FOUND');
    return file;
  };
  const handlers: Handler[] = [
    handler(osCommands.echo, ({ d }) => ({ r: d })),
    handler(osCommands.params, () => ({ buf_size: 384, buf_count: 4 })),
    handler(fileCommands.status, ({ name }) => ({ len: fileOf(name).byteLength })),
    handler(fileCommands.upload, ({ name, off, data, len = 0 }) => {
      if (open?.name !== name) {
        release();
        if (!files.has(name)) files.set(name, Buffer.alloc(0));
        open = { name, content: fileOf(name), off: 0, length: 0 };
      }
      const state = open as NonNullable<typeof open>;
      if (off === 0) {
        state.length = len;
        if (fileOf(name).byteLength > 0) state.content = Buffer.alloc(0);
      } else {
        if (state.off === 0) state.off = fileOf(name).byteLength;
        if (off !== state.off) {
          const expected = state.off;
          release();
          throw fileError('OFFSET_NOT_VALID', { len: expected });
        }
      }
      const content = Buffer.concat([state.content, data]);
      if (content.byteLength > volumeBytes && !silentlyFull) {
        release();
        throw fileError('WRITE_FAILED');
      }
      state.content = content.subarray(0, volumeBytes);
      state.off += data.byteLength;
      const answer = { off: state.off };
      if (state.length > 0 && state.off >= state.length) release();
      return answer;
    }),
  ];
  if (closes) {
    handlers.push(
      handler(fileCommands.close, () => {
        release();
        return {};
      }),
    );
  }
  if (downloads) {
    handlers.push(
      handler(fileCommands.download, ({ name, off }) => {
        release();
        const file = fileOf(name);
        return { off, data: file.subarray(off, off + chunkBytes), ...(off === 0 ? { len: file.byteLength } : {}) };
      }),
    );
  }
  if (hashes.length > 0) {
    handlers.push(
      handler(fileCommands.hash, ({ name, type = 'crc32', off = 0, len }) => {
        const known = hashes.find((one) => one === type);
        if (known === undefined) throw fileError('HASH_NOT_FOUND');
        const part = fileOf(name).subarray(off, len === undefined ? undefined : off + len);
        const output = known === 'crc32' ? crc32(part) : new Uint8Array(createHash('sha256').update(part).digest());
        return { type, len: part.byteLength, output };
      }),
    );
  }
  const server = new SmpServer(handlers);
  let chunks = 0;
  const connect = (): Transport => {
    const [host, device] = inProcessPair('zephyr');
    device.onPacket = async (packet) => {
      if (packet.byteLength > burstBytes) return;
      const { group, command, op } = decodePacket(packet);
      const isChunk =
        group === fileCommands.upload.group && command === fileCommands.upload.id && op === fileCommands.upload.op;
      const number = isChunk ? chunks++ : -1;
      const answer = await server.answer(packet);
      if (answer !== null && !lostAnswers.includes(number)) void device.send(answer);
    };
    return host;
  };
  return { files, connect, chunks: () => chunks };
}

/** A device and one connection to it. */
export function zephyrFiles(options: ZephyrOptions = {}): ZephyrDevice & { readonly transport: Transport } {
  const device = zephyrDevice(options);
  return { ...device, transport: device.connect() };
}
