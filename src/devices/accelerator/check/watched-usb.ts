// A USB device that records every transfer, for reports on real accelerators.

import { Mutex } from 'async-mutex';
import { reasonOf } from '../../../base/errors.js';
import type { UsbControlDevice, UsbSetup } from '../../transport/index.js';

export interface WatchedTransfer {
  /** The step during which the transfer happened. */
  readonly step: string;
  readonly what: 'control-in' | 'control-out' | 'in' | 'out' | 'open' | 'release' | 'reset' | 'close';
  /** Endpoint; or request, value and index. */
  readonly where: string;
  /** Bytes sent or requested. */
  readonly asked: number;
  /** Bytes transferred; null if the transfer failed. */
  readonly got: number | null;
  /** `ok`, `stall`, or the error. */
  readonly status: string;
  /** The first bytes, in hexadecimal. */
  readonly bytes: string;
  readonly atMs: number;
  readonly tookMs: number;
}

const shownBytes = 16;

/** Records all transfers; devices of one list keep their identity. */
export class UsbWatch {
  readonly transfers: WatchedTransfer[] = [];
  step = '';
  /** Serializes outgoing transfers, for devices that do not accept several at once. */
  oneAtATime = false;
  private readonly known = new WeakMap<UsbControlDevice, UsbControlDevice>();
  private readonly start = performance.now();
  private readonly turns = new Mutex();

  constructor(private readonly list: () => Promise<readonly UsbControlDevice[]>) {}

  readonly devices = async (): Promise<readonly UsbControlDevice[]> =>
    (await this.list()).map((device) => {
      const watched = this.known.get(device) ?? this.watched(device);
      this.known.set(device, watched);
      return watched;
    });

  /** Transfers of one step. */
  of(step: string): readonly WatchedTransfer[] {
    return this.transfers.filter((transfer) => transfer.step === step);
  }

  private watched(device: UsbControlDevice): UsbControlDevice {
    return {
      get vendorId() {
        return device.vendorId;
      },
      get productId() {
        return device.productId;
      },
      get serialNumber() {
        return device.serialNumber;
      },
      get productName() {
        return device.productName;
      },
      get opened() {
        return device.opened;
      },
      get configuration() {
        return device.configuration;
      },
      get configurations() {
        return device.configurations;
      },
      open: () => this.noted('open', '', 0, () => device.open()),
      close: () => this.noted('close', '', 0, () => device.close()),
      reset: () => this.noted('reset', '', 0, () => device.reset()),
      selectConfiguration: (value) => device.selectConfiguration(value),
      claimInterface: (number) => device.claimInterface(number),
      releaseInterface: (number) => this.noted('release', '', 0, () => device.releaseInterface(number)),
      selectAlternateInterface: (number, alternate) => device.selectAlternateInterface(number, alternate),
      clearHalt: (direction, endpoint) => device.clearHalt(direction, endpoint),
      controlTransferIn: (setup, length) =>
        this.noted('control-in', requestOf(setup), length, () => device.controlTransferIn(setup, length)),
      controlTransferOut: (setup, data) =>
        this.noted(
          'control-out',
          requestOf(setup),
          data?.byteLength ?? 0,
          () => device.controlTransferOut(setup, data),
          data,
        ),
      transferIn: (endpoint, length) =>
        this.noted('in', String(endpoint), length, () => device.transferIn(endpoint, length)),
      transferOut: (endpoint, data) =>
        this.inTurn(() =>
          this.noted('out', String(endpoint), data.byteLength, () => device.transferOut(endpoint, data), data),
        ),
    };
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.oneAtATime ? this.turns.runExclusive(work) : work();
  }

  private async noted<Result>(
    what: WatchedTransfer['what'],
    where: string,
    asked: number,
    work: () => Promise<Result>,
    sent: Uint8Array = new Uint8Array(0),
  ): Promise<Result> {
    const { step } = this;
    const begun = performance.now();
    const note = (got: number | null, status: string, bytes: Uint8Array): void => {
      const [atMs, tookMs] = [begun - this.start, performance.now() - begun].map(
        (ms) => Math.round(ms * 1000) / 1000,
      ) as [number, number];
      this.transfers.push({
        step,
        what,
        where,
        asked,
        got,
        status,
        bytes: Buffer.from(bytes.subarray(0, shownBytes)).toString('hex'),
        atMs,
        tookMs,
      });
    };
    try {
      const result = await work();
      const {
        status = 'ok',
        data,
        bytesWritten,
      } = (result ?? {}) as { status?: string; data?: DataView; bytesWritten?: number };
      const came = data === undefined ? sent : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      note(data?.byteLength ?? bytesWritten ?? 0, status, came);
      return result;
    } catch (error) {
      note(null, reasonOf(error), sent);
      throw error;
    }
  }
}

function requestOf({ requestType, request, value, index }: UsbSetup): string {
  return `${requestType} ${request} 0x${value.toString(16)} 0x${index.toString(16)}`;
}
