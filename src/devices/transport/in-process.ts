// Two ends in one process. Packets are copied and delivered in a later turn of the event loop, as from a wire.

import { EndingTransport } from './ending.js';
import { plainLine, type Transport } from './transport.js';

class InProcessEnd extends EndingTransport {
  readonly line = plainLine;
  peer: InProcessEnd | null = null;

  constructor(
    name: string,
    private readonly afterwards: () => Promise<void>,
  ) {
    super(name);
  }

  protected async write(packet: Uint8Array): Promise<void> {
    const copy = packet.slice();
    setImmediate(() => {
      if (this.peer?.open) this.peer.onPacket?.(copy);
    });
  }

  protected async release(): Promise<void> {
    await this.peer?.end('the other end closed it');
    await this.afterwards();
  }
}

/** An end that can be closed with a reason. */
export type InProcessTransport = Transport & Pick<EndingTransport, 'end'>;

/**
 * @param afterwards awaited when the host's end is closed
 * @returns the host's end and the device's end
 */
export function inProcessPair(
  name: string,
  afterwards: () => Promise<void> = async () => undefined,
): [host: InProcessTransport, device: InProcessTransport] {
  const host = new InProcessEnd(name, afterwards);
  const device = new InProcessEnd(name, async () => undefined);
  host.peer = device;
  device.peer = host;
  return [host, device];
}
