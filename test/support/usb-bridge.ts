// The insides of a USB device that umockdev emulates in another process (firmware-protocol/c/ports/umockdev/remote.c):
// an emulated gadget of this one.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { UsbGadget } from '../../src/devices/accelerator/emulated/gadget.js';
import type { UsbSetup } from '../../src/devices/transport/index.js';

const answers = { stall: -1, nothing: -2, unplugged: -3, changed: -4 } as const;
const headerBytes = 16;

export interface BridgeOptions {
  /** The plug is pulled at this request for data, counted from 1. */
  readonly unplugAt?: number;
  /** In Mbit/s. */
  readonly speed?: number;
}

export interface Bridge {
  /** What came, for comparisons: kind, endpoint, length of each. */
  readonly log: string[];
  readonly close: () => Promise<void>;
}

/** Serves one process after another. @param path of a Unix socket */
export async function serveGadget(
  path: string,
  gadget: UsbGadget,
  { unplugAt = 0, speed = 5000 }: BridgeOptions = {},
): Promise<Bridge> {
  const log: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const session = new Session(gadget, log, unplugAt, speed);
    let pending = Buffer.alloc(0);
    socket.on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      for (
        let used = session.take(pending, (answer) => socket.write(answer));
        used > 0;
        used = session.take(pending, (answer) => socket.write(answer))
      )
        pending = pending.subarray(used);
    });
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    log,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

class Session {
  private requests = 0;
  /** Packets of reads that have not come to their end, by endpoint. */
  private readonly partial = new Map<number, Uint8Array[]>();

  constructor(
    private gadget: UsbGadget,
    private readonly log: string[],
    private readonly unplugAt: number,
    private readonly speed: number,
  ) {}

  /** @returns bytes of the request at the beginning; 0 where it has not come whole */
  take(bytes: Buffer, send: (answer: Buffer) => void): number {
    if (bytes.byteLength < headerBytes) return 0;
    const kind = String.fromCharCode(bytes[0] as number);
    const endpoint = bytes[1] as number;
    const length = bytes.readUInt32LE(4);
    const out = kind === 'o' || (kind === 'c' && ((bytes[8] as number) & 0x80) === 0);
    const total = headerBytes + (out ? length : 0);
    if (bytes.byteLength < total) return 0;
    const answer = this.answer(
      kind,
      endpoint,
      length,
      bytes.subarray(8, headerBytes),
      bytes.subarray(headerBytes, total),
    );
    const head = Buffer.alloc(4);
    head.writeInt32LE(typeof answer === 'number' ? answer : answer.byteLength);
    send(typeof answer === 'number' ? head : Buffer.concat([head, answer]));
    return total;
  }

  private answer(kind: string, endpoint: number, length: number, setup: Buffer, data: Buffer): number | Uint8Array {
    if (kind === 'c' || kind === 'o') {
      this.log.push(
        kind === 'o' ? `out ${endpoint} ${length}` : `control ${setup.toString('hex')} ${data.toString('hex')}`,
      );
      if (++this.requests === this.unplugAt) return answers.unplugged;
    }
    switch (kind) {
      case 'd':
        return this.describe();
      case 'r': {
        this.log.push('reset');
        this.partial.clear();
        const before = this.gadget;
        this.gadget = before.reset();
        return this.gadget === before ? 0 : answers.changed;
      }
      case 'c': {
        if (((setup[0] as number) & 0x80) === 0)
          return this.gadget.controlOut(setupOf(setup), data) ? length : answers.stall;
        return this.gadget.controlIn(setupOf(setup), length) ?? answers.stall;
      }
      case 'o':
        return this.gadget.out(endpoint, data) ? length : answers.stall;
      case 'i':
        return this.read(endpoint, length);
      default:
        throw new Error(`unknown request ${kind}`);
    }
  }

  private describe(): Uint8Array {
    const head = Buffer.alloc(8);
    head.writeUInt16LE(this.gadget.vendorId, 0);
    head.writeUInt16LE(this.gadget.productId, 2);
    head.writeUInt32LE(this.speed, 4);
    return Buffer.concat([head, this.gadget.descriptors]);
  }

  /** Whole packets, until one is short or nothing more fits. */
  private read(endpoint: number, room: number): number | Uint8Array {
    const source = this.gadget.source(endpoint);
    if (source === null) return answers.stall;
    const parts = this.partial.get(endpoint) ?? [];
    this.partial.set(endpoint, parts);
    let got = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    for (let packet = source.next(); packet !== undefined; packet = source.next()) {
      parts.push(packet);
      got += packet.byteLength;
      if (got < room && packet.byteLength === source.packetBytes) continue;
      this.partial.delete(endpoint);
      this.log.push(`in ${endpoint} ${got}`);
      return Buffer.concat(parts);
    }
    return answers.nothing;
  }
}

const types = ['standard', 'class', 'vendor'] as const;

function setupOf(setup: Buffer): UsbSetup {
  const kind = setup[0] as number;
  return {
    requestType: types[(kind >> 5) & 3] ?? 'standard',
    recipient: (kind & 31) === 1 ? 'interface' : 'device',
    request: setup[1] as number,
    value: setup.readUInt16LE(2),
    index: setup.readUInt16LE(4),
  };
}
