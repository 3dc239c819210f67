import { type AtollError, fail } from '../../base/errors.js';
import type { LineProperties, Transport } from './transport.js';

/** What all transports do alike: they carry packets until either side ends them, once. */
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
   * Whoever says it first: this side (null), the other, or the line with its reason, which may be an error with a code.
   */
  async end(reason: string | AtollError | null): Promise<void> {
    if (!this.open) return;
    this.open = false;
    this.onClose?.(reason);
    await this.release();
  }

  protected abstract write(packet: Uint8Array): Promise<void>;

  /** Gives back to the system what it had. */
  protected abstract release(): Promise<void> | void;
}
