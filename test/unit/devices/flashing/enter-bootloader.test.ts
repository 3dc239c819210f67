// Running firmware is told to start its bootloader, which the system announces before its names can be read.

import { expect, test } from 'vitest';
import { dfuOf, enterBootloader } from '../../../../src/devices/flashing/dfu/attach.js';
import type { UsbControlDevice } from '../../../../src/devices/transport/index.js';

const ids = [
  { vendor: 0x1209, product: 0xa701 },
  { vendor: 0x1209, product: 0xa702 },
];
const runTime = 1;
const bootloader = 2;
// An interface descriptor (class 0xfe, subclass 1) and its DFU functional descriptor.
const descriptors = Uint8Array.of(9, 4, 0, 0, 0, 0xfe, 1, runTime, 0, 9, 0x21, 0x0b, 0xff, 0, 0, 4, 0x10, 1);

function deviceWith(interfaceProtocol: number, names: readonly (string | undefined)[]): UsbControlDevice {
  const alternates = names.map((interfaceName, alternateSetting) => ({
    alternateSetting,
    interfaceClass: 0xfe,
    interfaceSubclass: 1,
    interfaceProtocol,
    interfaceName,
    endpoints: [],
  }));
  return {
    vendorId: 0x1209,
    productId: interfaceProtocol === runTime ? 0xa701 : 0xa702,
    opened: true,
    configurations: [
      { configurationValue: 1, interfaces: [{ interfaceNumber: 0, alternate: alternates[0], alternates }] },
    ],
    close: async () => undefined,
    claimInterface: async () => undefined,
    controlTransferIn: async () => ({ status: 'ok', data: new DataView(descriptors.slice().buffer) }),
    controlTransferOut: async () => ({ status: 'ok', bytesWritten: 0 }),
  } as unknown as UsbControlDevice;
}

async function enter(lists: readonly (readonly UsbControlDevice[])[]): Promise<readonly (string | null | undefined)[]> {
  let at = 0;
  const list = async (): Promise<readonly UsbControlDevice[]> => lists[Math.min(at++, lists.length - 1)] ?? [];
  const found = dfuOf('usb:1209:a701', deviceWith(runTime, [undefined]));
  const entered = await enterBootloader(found, ids, list);
  expect(entered.running).toBe(false);
  return entered.dfu.alternates.map(({ interfaceName }) => interfaceName);
}

test('a bootloader whose names cannot be read yet is waited for', async () => {
  const unread = [deviceWith(bootloader, [undefined, undefined])];
  const whole = [deviceWith(bootloader, ['firmware', 'model'])];
  expect(await enter([[deviceWith(runTime, [undefined])], [], unread, unread, whole])).toEqual(['firmware', 'model']);
});

test('a bootloader without names is taken after two seconds', async () => {
  expect(await enter([[deviceWith(bootloader, [undefined])]])).toEqual([undefined]);
});
