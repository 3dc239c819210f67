// One specification, two implementations: the simulated device, and the device side in C as a program and on emulated boards.

import { afterAll, describe } from 'vitest';
import { DeviceClient } from '../../src/device/index.js';
import { openDevice } from '../../src/open-device.js';
import { SimulatedDevice } from '../../src/simdevice/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { promises, subjectOf } from '../support/conformance.js';
import type { DeviceProcess } from '../support/device-process.js';
import { buildFirmware, posixDevice, qemuBoard } from '../support/firmware.js';
import { type Tool, toolTest } from '../support/tools.js';

type Opened = readonly [device: DeviceClient, process: DeviceProcess | null];

async function reach(process: DeviceProcess): Promise<Opened> {
  return [await openDevice(process.uri), process];
}

const devices: readonly (readonly [name: string, tools: readonly Tool[], target: string, open: () => Promise<Opened>])[] = [
  ['the simulated device', [], 'qemu-mps2-an386', async () => [new DeviceClient(new SimulatedDevice(await loadTarget('qemu-mps2-an386')).connect()), null]],
  ...['pty', 'tcp:0', 'udp:0'].map((where) => {
    const open = async (): Promise<Opened> => {
      await buildFirmware('posix');
      return reach(await posixDevice(where));
    };
    return [`the C implementation behind ${where}`, ['gcc', 'make'] as Tool[], 'qemu-mps2-an386', open] as const;
  }),
  ...(['mps2-an386', 'mps2-an500'] as const).map((machine) => {
    const open = async (): Promise<Opened> => {
      await buildFirmware('qemu');
      return reach(await qemuBoard({ machine }));
    };
    return [`${machine} under QEMU`, ['arm-none-eabi-gcc', 'make', 'qemu-system-arm'] as Tool[], `qemu-${machine}`, open] as const;
  }),
];

describe.each(devices)('%s', (_, tools, target, open) => {
  let opened: Promise<Opened> | null = null;
  const each = toolTest(...tools);

  afterAll(async () => {
    const [device, process] = (await opened?.catch(() => null)) ?? [];
    await device?.close();
    await process?.stop();
  });

  for (const [promise, keep] of promises) {
    each(promise, async () => {
      opened ??= open();
      await keep((await opened)[0], await subjectOf(target));
    });
  }
});
