// The requests of a DFU interface and their responses. Source: USB Device Class Specification for Device Firmware
// Upgrade, version 1.1, chapters 3 and 6, and annex A.

import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../../../base/errors.js';
import type { UsbControlDevice } from '../../transport/index.js';

const Request = { detach: 0, download: 1, upload: 2, getStatus: 3, clearStatus: 4, abort: 6 } as const;

/** States of the device; those that are not needed here are left out. */
const State = { idle: 2, downloadSync: 3, downloadBusy: 4, downloadIdle: 5, manifestWaitReset: 8, error: 10 } as const;

/** Status texts by number, from 0 on. */
const statusTexts = [
  'OK',
  'errTARGET: not for this device',
  'errFILE',
  'errWRITE: memory could not be written',
  'errERASE: memory could not be erased',
  'errCHECK_ERASED: memory is not erased',
  'errPROG: programming failed',
  'errVERIFY: the written data differs from what was sent',
  'errADDRESS: an address outside its memory',
  'errNOTDONE: the download is incomplete',
  'errFIRMWARE: its firmware is broken',
  'errVENDOR: protected, or another reason of its own',
  'errUSBR',
  'errPOR',
  'errUNKNOWN',
  'errSTALLEDPKT: an unexpected request',
];

/** Its functional descriptor. */
export interface DfuFunctions {
  readonly canDownload: boolean;
  readonly canUpload: boolean;
  /** Whether it leaves the bus by itself after a detach request; otherwise it waits for a reset. */
  readonly detachesItself: boolean;
  /** Bytes of a block. */
  readonly transferBytes: number;
  /** ST's extension with memory addresses. */
  readonly isDfuSe: boolean;
}

export interface DfuStatus {
  readonly status: number;
  readonly state: number;
  /** Minimum time until the next status request. */
  readonly waitMs: number;
}

/** Timeout for work that a device reports as in progress, and for a response. */
export const dfuTimeoutMs = 120_000;

/** @throws DFU_REFUSED; errors of libusb if the device disappears */
export class DfuInterface {
  constructor(
    readonly name: string,
    private readonly device: UsbControlDevice,
    private readonly interfaceNumber: number,
    readonly functions: DfuFunctions,
    private readonly timeoutMs = dfuTimeoutMs,
  ) {}

  /** Sends one block and waits until it is processed. @param what for messages */
  async download(block: number, data: Uint8Array, what: string): Promise<void> {
    const { status } = await this.answered(
      this.device.controlTransferOut(this.setup(Request.download, block), new Uint8Array(data)),
    );
    if (status === 'stall') throw await this.refusal(what);
    await this.settle(what);
  }

  async upload(block: number, length: number): Promise<Uint8Array> {
    const { status, data } = await this.answered(
      this.device.controlTransferIn(this.setup(Request.upload, block), length),
    );
    if (status !== 'ok' || data === undefined) throw await this.refusal('to be read');
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  async getStatus(): Promise<DfuStatus> {
    const { status, data } = await this.answered(this.device.controlTransferIn(this.setup(Request.getStatus, 0), 6));
    if (status !== 'ok' || data === undefined || data.byteLength < 6)
      throw fail('DFU_DEVICE', { device: this.name, reason: 'it does not report its status' });
    return {
      status: data.getUint8(0),
      state: data.getUint8(4),
      waitMs: data.getUint8(1) | (data.getUint8(2) << 8) | (data.getUint8(3) << 16),
    };
  }

  /** Returns to the idle state from an interrupted transfer or an error. */
  async makeIdle(): Promise<void> {
    for (let tries = 0; tries < 4; tries++) {
      const { state } = await this.getStatus();
      if (state === State.idle) return;
      await this.answered(
        this.device.controlTransferOut(this.setup(state === State.error ? Request.clearStatus : Request.abort, 0)),
      );
    }
    throw fail('DFU_DEVICE', { device: this.name, reason: 'it does not become idle' });
  }

  async detach(): Promise<void> {
    const { status } = await this.answered(this.device.controlTransferOut(this.setup(Request.detach, 1000)));
    if (status === 'ok' && !this.functions.detachesItself) await this.device.reset();
  }

  /** Ends the download: the device activates the firmware, and may disappear before it responds. */
  async finish(block: number): Promise<void> {
    await this.answered(this.device.controlTransferOut(this.setup(Request.download, block)));
    const until = Date.now() + this.timeoutMs;
    const over: readonly number[] = [State.idle, State.manifestWaitReset];
    while (Date.now() < until) {
      const now = await this.getStatus().catch(() => null);
      if (now === null || over.includes(now.state)) return;
      if (now.state === State.error) throw this.refused('what was sent', now.status);
      await delay(Math.min(now.waitMs, this.timeoutMs));
    }
    throw fail('DFU_DEVICE', { device: this.name, reason: 'it does not finish' });
  }

  private async settle(what: string): Promise<void> {
    const until = Date.now() + this.timeoutMs;
    const busy: readonly number[] = [State.downloadSync, State.downloadBusy];
    while (Date.now() < until) {
      const { status, state, waitMs } = await this.getStatus();
      if (state === State.downloadIdle) return;
      if (!busy.includes(state)) throw this.refused(what, status);
      await delay(Math.min(waitMs, this.timeoutMs));
    }
    throw fail('DFU_DEVICE', {
      device: this.name,
      reason: `it is still busy with ${what} after ${this.timeoutMs / 1000} s`,
    });
  }

  private answered<Answer>(request: Promise<Answer>): Promise<Answer> {
    return answeredWithin(this.name, request, this.timeoutMs);
  }

  private async refusal(what: string): Promise<Error> {
    const { status } = await this.getStatus();
    return this.refused(what, status);
  }

  private refused(what: string, status: number): Error {
    return fail('DFU_REFUSED', { device: this.name, what, status: statusTexts[status] ?? `status ${status}` });
  }

  private setup(request: number, value: number) {
    return { requestType: 'class', recipient: 'interface', request, value, index: this.interfaceNumber } as const;
  }
}

/** @throws DFU_DEVICE if there is no response */
export async function answeredWithin<Answer>(device: string, request: Promise<Answer>, ms: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(fail('DFU_DEVICE', { device, reason: `it does not answer within ${ms / 1000} s` })),
      ms,
    );
  });
  try {
    return await Promise.race([request, late]);
  } finally {
    clearTimeout(timer);
    request.catch(() => undefined);
  }
}
