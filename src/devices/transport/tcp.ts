// TCP: packets back to back, or console lines as an emulator's serial port provides them.

import net from 'node:net';
import { defined } from '../../base/checked.js';
import { fail, reasonOf } from '../../base/errors.js';
import { choiceOf, type DeviceAddress, hostAndPort } from './address.js';
import type { Listener } from './listener.js';
import { type Distortion, type Framing, framings, StreamTransport } from './stream.js';
import type { Transport } from './transport.js';

const connectTimeoutMs = 5000;

/** Limit on unsent responses, in bytes; reading stops beyond it. */
const maxWaitingBytes = 8 * 2 ** 20;
/** Time after which a client that does not read its responses is disconnected. */
const unreadTimeoutMs = 30_000;

/** @throws DEVICE_UNREACHABLE */
export async function openTcp(address: DeviceAddress): Promise<Transport> {
  const { host, port } = hostAndPort(address, null);
  const framing = framings[choiceOf(address, 'framing', ['raw', 'console'])];
  const socket = net.connect({ host, port, noDelay: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(connectTimeoutMs, () => reject(new Error(`no connection within ${connectTimeoutMs} ms`)));
      socket.once('connect', resolve).once('error', reject);
    });
  } catch (error) {
    socket.destroy();
    throw fail('DEVICE_UNREACHABLE', { device: address.uri, reason: reasonOf(error) }, error);
  }
  socket.setTimeout(0);
  return transportOver(address.uri, socket, framing);
}

/** @throws LISTEN */
export async function listenTcp(
  address: DeviceAddress,
  onConnection: (transport: Transport) => void,
  distort?: Distortion,
): Promise<Listener> {
  const { host, port } = hostAndPort(address, null);
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    holdBack(socket);
    // The first byte shows the framing: a console line begins with 6, a packet never does.
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      const console = first[0] === 0x06;
      onConnection(
        transportOver(address.uri, socket, console ? framings.console : framings.raw, console ? distort : undefined),
      );
      socket.resume();
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve)).catch(
    (error: unknown) => {
      throw fail('LISTEN', { address: address.uri, reason: reasonOf(error) }, error);
    },
  );
  const bound = defined(server.address()) as net.AddressInfo;
  return {
    uri: `tcp:${net.isIPv6(host) ? `[${host}]` : host}:${bound.port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Stops reading requests from a client that does not read its responses, and finally disconnects it. */
function holdBack(socket: net.Socket): void {
  let waiting: NodeJS.Timeout | null = null;
  const goOn = (): void => {
    if (waiting !== null) clearTimeout(waiting);
    waiting = null;
    socket.resume();
  };
  socket.on('close', goOn);
  socket.on('data', () => {
    if (socket.writableLength > maxWaitingBytes) socket.destroy();
    else if (socket.writableNeedDrain && waiting === null) {
      socket.pause();
      waiting = setTimeout(() => socket.destroy(), unreadTimeoutMs).unref();
      socket.once('drain', goOn);
    }
  });
}

function transportOver(uri: string, socket: net.Socket, framing: Framing, distort?: Distortion): Transport {
  return new StreamTransport(uri, socket, framing, async () => void socket.destroy(), null, distort);
}
