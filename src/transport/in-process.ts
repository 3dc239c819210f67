// Two ends in one process. Packets are copied and arrive in a later turn of the event loop, as from a wire.

import { fail } from '../errors.js';
import { plainLine, type Transport } from './transport.js';

class InProcessEnd implements Transport {
  onPacket: Transport['onPacket'] = null;
  onLog: Transport['onLog'] = null;
  onClose: Transport['onClose'] = null;
  readonly line = plainLine;
  peer: InProcessEnd | null = null;
  private open = true;

  constructor(readonly name: string) {}

  async send(packet: Uint8Array): Promise<void> {
    if (!this.open) throw fail('DEVICE_CLOSED', { device: this.name, reason: 'closed' });
    const copy = packet.slice();
    setImmediate(() => {
      if (this.peer?.open) this.peer.onPacket?.(copy);
    });
  }

  async close(): Promise<void> {
    this.end(null);
    this.peer?.end('the other end closed it');
  }

  private end(reason: string | null): void {
    if (!this.open) return;
    this.open = false;
    this.onClose?.(reason);
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
