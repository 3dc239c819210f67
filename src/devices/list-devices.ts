// Lists the devices attached to this machine, and those that answer.

import { reasonOf } from '../base/errors.js';
import { loadShippedTargets } from '../targets/index.js';
import { attachedPorts, attachedUsb, type DeviceClient } from './client/index.js';
import { openDevice } from './open-device.js';
import type { DeviceDescription } from './protocol/index.js';

export interface ListedDevice {
  readonly uri: string;
  readonly manufacturer: string | null;
  readonly serialNumber: string | null;
  /** Its kind by its USB ids. */
  readonly targets: readonly { readonly id: string; readonly state: string }[];
  /** Its description of itself; null if it was not asked or did not answer. */
  readonly answer: DeviceDescription | null;
  /** Why it did not answer; null if it was not asked. */
  readonly error: string | null;
}

/** A present board answers at once; an absent one should not delay the list. */
const retries = { timeoutMs: 700, attempts: 3 };

/**
 * @param options.uris further devices to ask. Ports with unknown ids are asked only with `all`: opening a port may
 * reset the board behind it
 * @throws SERIAL_LIST
 */
export async function listDevices(
  options: { readonly uris?: readonly string[]; readonly all?: boolean; readonly signal?: AbortSignal } = {},
): Promise<ListedDevice[]> {
  const { uris = [], all = false, signal } = options;
  const known = await loadShippedTargets();
  const usb = await attachedUsb(known).catch(() => []);
  const ports = await attachedPorts(known).catch((error: unknown) => {
    // Even if listing fails, the caller's own devices remain.
    if (uris.length === 0 && usb.length === 0) throw error;
    return [];
  });
  const listed = ports.map(async ({ path, manufacturer, serialNumber, targets }) => {
    const uri = `serial:${path}`;
    const asked = all || targets.length > 0 ? await ask(uri, signal) : { answer: null, error: null };
    return { uri, manufacturer, serialNumber, targets, ...asked };
  });
  // An accelerator is no SMP device: USB devices are not asked unless they are named.
  const accelerators = usb.map(({ uri, name, serialNumber, targets }) => ({
    uri,
    manufacturer: name,
    serialNumber,
    targets,
    answer: null,
    error: null,
  }));
  const named = uris.map(async (uri) => ({
    uri,
    manufacturer: null,
    serialNumber: null,
    targets: [],
    ...(await ask(uri, signal)),
  }));
  return Promise.all([...listed, ...accelerators, ...named]);
}

async function ask(uri: string, signal: AbortSignal | undefined): Promise<Pick<ListedDevice, 'answer' | 'error'>> {
  let device: DeviceClient | null = null;
  try {
    device = await openDevice(uri, { retries });
    return { answer: await device.describe(signal), error: null };
  } catch (error) {
    signal?.throwIfAborted();
    return { answer: null, error: reasonOf(error) };
  } finally {
    await device?.close();
  }
}
