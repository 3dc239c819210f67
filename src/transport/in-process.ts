// Two ends in one process. Packets are copied and arrive in a later turn of the event loop, as from a wire.

import { fail } from '../errors.js';
import type { Transport } from './transport.js';

class InProcessEnd implements Transport {
  onPacket: ((packet: Uint8Array) => void) | null = null;
  onClose: (() => void) | null = null;
  peer: InProcessEnd | null = null;
  private open = true;

  constructor(readonly name: string) {}

  async send(packet: Uint8Array): Promise<void> {
    if (!this.open) throw fail('DEVICE_CLOSED', { device: this.name });
    const copy = packet.slice();
    setImmediate(() => {
      if (this.peer?.open) this.peer.onPacket?.(copy);
    });
  }

  async close(): Promise<void> {
    for (const end of [this, this.peer]) {
      if (end === null || !end.open) continue;
      end.open = false;
      end.onClose?.();
    }
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
