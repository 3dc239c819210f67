// What is attached to this machine, and what of it answers.

import { reasonOf } from '../base/errors.js';
import { loadShippedTargets } from '../targets/index.js';
import { attachedPorts, attachedUsb, type DeviceClient } from './client/index.js';
import { openDevice } from './open-device.js';
import type { DeviceDescription } from './protocol/index.js';

export interface ListedDevice {
  readonly uri: string;
  readonly manufacturer: string | null;
  readonly serialNumber: string | null;
  /** What its USB ids say it is. */
  readonly targets: readonly { readonly id: string; readonly state: string }[];
  /** What it says of itself; null where it was not asked, or did not answer. */
  readonly answer: DeviceDescription | null;
  /** Why there is no answer; null where it was not asked. */
  readonly error: string | null;
}

/** A board that is there answers at once; one that is not should not be waited for. */
const retries = { timeoutMs: 700, attempts: 3 };

/**
 * @param options.uris further devices to ask. Ports of unknown ids are asked with `all` only: to open a port may reset
 * what is behind it
 * @throws SERIAL_LIST
 */
export async function listDevices(
  options: { readonly uris?: readonly string[]; readonly all?: boolean; readonly signal?: AbortSignal } = {},
): Promise<ListedDevice[]> {
  const { uris = [], all = false, signal } = options;
  const known = await loadShippedTargets();
  const usb = await attachedUsb(known).catch(() => []);
  const ports = await attachedPorts(known).catch((error: unknown) => {
    // Without a list there is still what the caller named.
    if (uris.length === 0 && usb.length === 0) throw error;
    return [];
  });
  const listed = ports.map(async ({ path, manufacturer, serialNumber, targets }) => {
    const uri = `serial:${path}`;
    const asked = all || targets.length > 0 ? await ask(uri, signal) : { answer: null, error: null };
    return { uri, manufacturer, serialNumber, targets, ...asked };
  });
  // An accelerator answers otherwise than a board does: USB devices are not asked unless they are named.
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
