// UDP: one packet per datagram (Zephyr smp_transport.rst). Nothing is repeated here: the client does that.

import dgram from 'node:dgram';
import net from 'node:net';
import { fail, reasonOf } from '../../base/errors.js';
import { type DeviceAddress, hostAndPort } from './address.js';
import { Clients } from './clients.js';
import { EndingTransport } from './ending.js';
import type { Listener } from './listener.js';
import { plainLine, type Transport } from './transport.js';

export const smpPort = 1337;
/** Payload of an Ethernet frame after the headers of IPv6 and UDP: small devices do not reassemble fragments. */
const maxDatagramBytes = 1500 - 48;

class UdpTransport extends EndingTransport {
  readonly line = { ...plainLine, maxPacketBytes: (bufferBytes: number) => Math.min(bufferBytes, maxDatagramBytes) };

  constructor(
    name: string,
    private readonly emit: (packet: Uint8Array, done: (error: Error | null) => void) => void,
    protected readonly release: () => void,
  ) {
    super(name);
  }

  protected async write(packet: Uint8Array): Promise<void> {
    const error = await new Promise<Error | null>((resolve) => this.emit(packet, resolve));
    if (error !== null) await this.end(error.message);
  }
}

/** @throws DEVICE_UNREACHABLE */
export async function openUdp(address: DeviceAddress): Promise<Transport> {
  const { host, port } = hostAndPort(address, smpPort);
  const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // Its types declare no error; a name that does not resolve is reported here.
      socket.connect(port, host, ((error?: Error) => (error == null ? resolve() : reject(error))) as () => void);
    });
  } catch (error) {
    socket.close();
    throw fail('DEVICE_UNREACHABLE', { device: address.uri, reason: reasonOf(error) }, error);
  }
  const transport = new UdpTransport(
    address.uri,
    (packet, done) => socket.send(packet, done),
    () => socket.close(),
  );
  socket.removeAllListeners('error');
  // A connected socket is notified if nothing listens at the port.
  socket.on('error', (error) => void transport.end(error.message));
  socket.on('message', (packet) => transport.onPacket?.(new Uint8Array(packet)));
  return transport;
}

/** @throws LISTEN */
export async function listenUdp(
  address: DeviceAddress,
  onConnection: (transport: Transport) => void,
): Promise<Listener> {
  const { host, port } = hostAndPort(address, smpPort);
  const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
  const clients = new Clients<UdpTransport>(onConnection);
  socket.on('message', (packet, { address: from, port: fromPort }) => {
    const answer = (bytes: Uint8Array, done: (error: Error | null) => void): void =>
      socket.send(bytes, fromPort, from, () => done(null));
    clients
      .of(`${from} ${fromPort}`, (forget) => new UdpTransport(address.uri, answer, forget))
      .onPacket?.(new Uint8Array(packet));
  });
  await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, host, resolve)).catch(
    (error: unknown) => {
      throw fail('LISTEN', { address: address.uri, reason: reasonOf(error) }, error);
    },
  );
  return {
    uri: `udp:${net.isIPv6(host) ? `[${host}]` : host}:${socket.address().port}`,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
