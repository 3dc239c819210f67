// Emulated USB devices of which something is done otherwise.

import type { UsbControlDevice } from '../../src/devices/transport/index.js';

type List = () => Promise<readonly UsbControlDevice[]>;

/** @param change what takes the place of properties and methods of each device */
export function changedUsb(list: List, change: (device: UsbControlDevice) => Partial<UsbControlDevice>): List {
  return async () =>
    (await list()).map(
      (device) =>
        new Proxy(device, {
          get: (_, name) => {
            const value: unknown = Reflect.get(change(device), name) ?? Reflect.get(device, name);
            return typeof value === 'function' ? value.bind(device) : value;
          },
        }),
    );
}
