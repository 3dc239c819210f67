// Two ends in one process. Packets are copied and arrive in a later turn of the event loop, as from a wire.

import { EndingTransport } from './ending.js';
import { plainLine, type Transport } from './transport.js';

class InProcessEnd extends EndingTransport {
  readonly line = plainLine;
  peer: InProcessEnd | null = null;

  protected async write(packet: Uint8Array): Promise<void> {
    const copy = packet.slice();
    setImmediate(() => {
      if (this.peer?.open) this.peer.onPacket?.(copy);
    });
  }

  protected async release(): Promise<void> {
    await this.peer?.end('the other end closed it');
  }
}

/** @returns the host's end and the device's end */
export function inProcessPair(name: string): [host: Transport, device: Transport] {
  const host = new InProcessEnd(name);
  const device = new InProcessEnd(name);
  host.peer = device;
  device.peer = host;
  return [host, device];
}
