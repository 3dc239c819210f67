// Opens this machine's accelerator as a device: it is served in this process while a client is connected.

import { AtollError, fail } from '../../base/errors.js';
import type { Target } from '../../targets/index.js';
import { maxPacketBytes } from '../protocol/index.js';
import { ServedDevice } from '../simulated/index.js';
import { inProcessPair, type Transport } from '../transport/index.js';
import { acceleratorEngine, type EngineOptions } from './accelerator-engine.js';
import { type AttachOptions, attachAccelerator } from './attach.js';
import { type Performance, performances } from './bring-up.js';
import { EmulatedAccelerator } from './emulated/emulated-accelerator.js';
import type { EmulatedModel } from './emulated/twin.js';
import { acceleratorIds } from './ids.js';

/** Parses an accelerator's URI: `usb:18d1:9302?performance=max&firmware=PATH`. @throws DEVICE_UNKNOWN */
export function acceleratorOptions(uri: string): Pick<AttachOptions, 'performance' | 'firmware'> {
  if (/^usb:[^?]*\//.test(uri))
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: 'accelerators have no serial numbers: attach one at a time',
    });
  const query = new URLSearchParams(uri.split(/\?(.*)/s)[1] ?? '');
  const stranger = [...query.keys()].find((name) => name !== 'performance' && name !== 'firmware');
  if (stranger !== undefined)
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: `unknown option ${stranger}: an accelerator has performance and firmware`,
    });
  const performance = query.get('performance');
  if (performance !== null && !(performance in performances))
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: `performance=${performance} is not one of ${Object.keys(performances).join(', ')}`,
    });
  const path = query.get('firmware');
  return {
    ...(performance === null ? {} : { performance: performance as Performance }),
    ...(path === null ? {} : { firmware: { path } }),
  };
}

/** Whether a URI names an accelerator by its USB ids. */
export function isAcceleratorUri(uri: string): boolean {
  const [, vendor, product] = /^usb:([0-9a-f]{1,4}):([0-9a-f]{1,4})(?:[/?]|$)/i.exec(uri) ?? [];
  const [vendorId, productId] = [vendor, product].map((text) => Number.parseInt(text ?? '', 16));
  return Object.values(acceleratorIds).some((ids) => ids.vendor === vendorId && ids.product === productId);
}

/**
 * Opens it and returns the host's end of a connection. An error of the accelerator ends the connection with that error.
 * @throws what attachAccelerator throws
 */
export async function connectAccelerator(
  uri: string,
  target: Target,
  options: AttachOptions & EngineOptions = {},
): Promise<Transport> {
  const engine = await acceleratorEngine(() => attachAccelerator(uri, options), options);
  const [host, end] = inProcessPair(uri, () => engine.close());
  const device = new ServedDevice(target, engine, {
    maxPacketBytes,
    inflateBytes: null,
    onFault: (error) => void (error instanceof AtollError ? host.end(error) : undefined),
  });
  device.serve(end);
  return host;
}

/** The same for an emulated accelerator in this process. */
export function connectEmulated(
  uri: string,
  target: Target,
  models: readonly EmulatedModel[],
  options: AttachOptions = {},
): Promise<Transport> {
  const emulated = new EmulatedAccelerator({ models });
  return connectAccelerator(uri, target, { ...options, devices: emulated.devices, settleMs: 0, emulated });
}
