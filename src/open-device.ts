// A device URI to a DeviceClient.

import { DeviceClient } from './device/index.js';
import { fail } from './errors.js';
import { SimulatedDevice, type SimulatedDeviceOptions } from './simdevice/index.js';
import { loadTarget, type Target } from './targets/index.js';

export interface OpenOptions {
  /** For sim: devices only. */
  readonly simulated?: SimulatedDeviceOptions;
}

/** The target of a device: for sim: devices the one that the URI names (which may be a file), else what the device says. */
export async function targetOfDevice(uri: string, device: DeviceClient, signal?: AbortSignal): Promise<Target> {
  const { target } = await device.describe(signal);
  return loadTarget(uri.startsWith('sim:') ? uri.slice('sim:'.length) : target);
}

/**
 * @param uri `sim:TARGET`: a simulated device that lives as long as this connection
 * @throws DEVICE_UNKNOWN, TARGET_UNKNOWN, TARGET_INVALID
 */
export async function openDevice(uri: string, options: OpenOptions = {}): Promise<DeviceClient> {
  const [scheme = '', rest = ''] = uri.split(/:(.*)/s);
  if (scheme === 'sim' && rest !== '') return new DeviceClient(new SimulatedDevice(await loadTarget(rest), options.simulated).connect());
  const known = new Set(['serial', 'usb', 'mqtt']);
  const reason = known.has(scheme) ? `${scheme} devices are not supported yet` : `unknown kind ${JSON.stringify(scheme)}`;
  throw fail('DEVICE_UNKNOWN', { device: uri, reason });
}
