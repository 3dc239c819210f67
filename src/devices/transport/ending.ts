import { type AtollError, fail } from '../../base/errors.js';
import type { LineProperties, Transport } from './transport.js';

/** Base of all transports: carries packets until either side ends the connection, once. */
export abstract class EndingTransport implements Transport {
  abstract readonly line: LineProperties;
  onPacket: Transport['onPacket'] = null;
  onLog: Transport['onLog'] = null;
  onClose: Transport['onClose'] = null;
  protected open = true;

  constructor(readonly name: string) {}

  async send(packet: Uint8Array): Promise<void> {
    if (!this.open) throw fail('DEVICE_CLOSED', { device: this.name, reason: 'closed' });
    await this.write(packet);
  }

  async close(): Promise<void> {
    await this.end(null);
  }

  /**
   * Ends the transport for this side (null), for the other side, or for a reason of the line, which may be a coded
   * error.
   */
  async end(reason: string | AtollError | null): Promise<void> {
    if (!this.open) return;
    this.open = false;
    this.onClose?.(reason);
    await this.release();
  }

  protected abstract write(packet: Uint8Array): Promise<void>;

  /** Releases the system's resources. */
  protected abstract release(): Promise<void> | void;
}
