// A pseudo-terminal: a serial port without a board, which any program can open. socat creates it and connects its far
// end to its own standard streams.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { fail, reasonOf } from '../../base/errors.js';
import { baudOf, type DeviceAddress } from './address.js';
import type { Listener } from './listener.js';
import { bitsPerByte, paced } from './paced.js';
import { type Distortion, framings, StreamTransport } from './stream.js';
import type { Transport } from './transport.js';

/** @throws LISTEN */
export async function listenPty(
  address: DeviceAddress,
  onConnection: (transport: Transport) => void,
  distort?: Distortion,
): Promise<Listener> {
  const socat = spawn('socat', ['-d', '-d', 'PTY,raw,echo=0', 'STDIO'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const path = await pathOf(socat).catch((error: unknown) => {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw fail(
      'LISTEN',
      {
        address: 'pty',
        reason: missing ? 'a pseudo-terminal needs the program socat (Debian package socat)' : reasonOf(error),
      },
      error,
    );
  });
  // Kept open here, so that it outlives the programs that open and close it.
  const held = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  const stream = Duplex.from({ readable: socat.stdout, writable: socat.stdin });
  const baud = baudOf(address, null);
  const release = async (): Promise<void> => {
    socat.kill();
    closeSync(held);
  };
  const transport = new StreamTransport(
    `serial:${path}`,
    baud === null ? stream : paced(stream, baud / bitsPerByte),
    framings.console,
    release,
    null,
    distort,
  );
  onConnection(transport);
  return { uri: `serial:${path}`, close: () => transport.close() };
}

function pathOf(socat: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    socat.once('error', reject);
    socat.once('exit', (code) => reject(new Error(`socat ended with ${code}: ${said.trim()}`)));
    socat.stderr?.on('data', (text: Buffer) => {
      said = `${said}${text.toString()}`.slice(-4096);
      const path = /PTY is (\S+)/.exec(said)?.[1];
      if (path !== undefined) resolve(path);
    });
  });
}
