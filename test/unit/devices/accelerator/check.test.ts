import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { assumptions, findingsOf, type ProbeOptions, probe } from '../../../../src/devices/accelerator/check/index.js';
import { EmulatedAccelerator, type EmulatedAcceleratorOptions } from '../../../../src/devices/accelerator/index.js';
import type { UsbControlDevice } from '../../../../src/devices/transport/index.js';
import { changedUsb } from '../../../support/changed-usb.js';
import { compiledPair } from '../../../support/compiled-pair.js';
import { temporaryFolder } from '../../../support/files.js';

const folder = temporaryFolder();
const pair = compiledPair();
const firmware = Uint8Array.from({ length: 1000 }, (_, i) => (i === 0 ? 2 : (i * 13) & 255));
writeFileSync(`${folder}/firmware.bin`, firmware);

interface Setting {
  readonly emulated?: Partial<EmulatedAcceleratorOptions>;
  readonly change?: (device: UsbControlDevice) => Partial<UsbControlDevice>;
  readonly options?: Partial<ProbeOptions>;
}

/** Verdicts by the ids of assumptions. */
async function verdicts({ emulated = {}, change = () => ({}), options = {} }: Setting) {
  const usb = new EmulatedAccelerator({ models: [pair], ...emulated });
  const seen = await probe(changedUsb(usb.devices, change), {
    models: [pair],
    samples: 2,
    settlingsMs: [0, 600],
    settleMs: 0,
    comingBackMs: 100,
    timeoutMs: 50,
    ...options,
  });
  return { usb, seen, verdicts: Object.fromEntries(findingsOf(seen).map(({ id, verdict }) => [id, verdict])) };
}

/** All but the clocks, which an emulated chip has not. */
const confirmed = Object.fromEntries(assumptions.map(({ id }) => [id, 'confirmed']));

describe('assumptions about accelerators', () => {
  test('holds for the emulated one, from its firmware to being unplugged', { timeout: 30_000 }, async () => {
    const usb = new EmulatedAccelerator({ models: [pair], firmware });
    const asked: string[] = [];
    const ask = (text: string): void => {
      asked.push(text);
      if (text.startsWith('Pull')) setTimeout(() => usb.unplug(), 50);
      else usb.plugIn();
    };
    const seen = await probe(usb.devices, {
      models: [pair],
      samples: 2,
      settlingsMs: [0, 600],
      timed: false,
      settleMs: 0,
      firmware: { path: `${folder}/firmware.bin` },
      provoke: true,
      ask,
    });
    expect(seen.failures).toEqual([]);
    expect(asked).toHaveLength(2);
    const findings = findingsOf(seen);
    expect(Object.fromEntries(findings.map(({ id, verdict }) => [id, verdict]))).toEqual({
      ...confirmed,
      clocks: 'unseen',
      // In this process nothing takes long enough to overlap, or it does.
      'under-way': expect.any(String),
      'output-pieces': 'unseen',
    });
    for (const { evidence } of findings) expect(evidence).not.toBe('');
  });

  test('at a port of USB 2 outputs come in pieces', { timeout: 30_000 }, async () => {
    const { verdicts: found } = await verdicts({ emulated: { superSpeed: false } });
    expect(found).toMatchObject({
      'output-pieces': 'confirmed',
      'output-reads': 'unseen',
      exact: 'confirmed',
      'dfu-shape': 'unseen',
    });
  });

  test.each<[string, Setting, Record<string, string>]>([
    ['a serial number', { change: () => ({ serialNumber: 'A1' }) }, { 'no-serial': 'refuted', exact: 'confirmed' }],
    [
      'outputs that differ in a bit',
      {
        change: (device) => ({
          transferIn: async (endpoint, length) => {
            const result = await device.transferIn(endpoint, length);
            if (endpoint === 1 && result.data !== undefined) result.data.setUint8(0, result.data.getUint8(0) ^ 1);
            return result;
          },
        }),
      },
      {
        exact: 'refuted',
        addresses: 'refuted',
        signed: 'refuted',
        tiles: 'refuted',
        cached: 'refuted',
        'starts-anew': 'refuted',
        event: 'confirmed',
      },
    ],
    [
      'a device that does not start before it was left alone for 200 ms',
      { change: slowStarter(200), options: { settleMs: 300 } },
      { settling: 'confirmed', exact: 'confirmed' },
    ],
    ['one that takes longer than is waited for', { change: slowStarter(800) }, { settling: 'refuted' }],
    ['one transfer at a time only', { change: oneAtATime() }, { 'under-way': 'refuted', exact: 'confirmed' }],
    [
      'other registers after a reset',
      {
        change: (device) => ({
          controlTransferIn: async (setup, length) => {
            const result = await device.controlTransferIn(setup, length);
            // omc0_00, of which nothing depends.
            if (setup.value === 0xa000 && setup.index === 1) result.data?.setUint32(0, 2, true);
            return result;
          },
        }),
      },
      { 'frame-registers': 'refuted', exact: 'confirmed' },
    ],
    [
      'one that never gives an event',
      {
        change: (device) => ({
          transferIn: (endpoint, length) =>
            endpoint === 2 ? new Promise(() => undefined) : device.transferIn(endpoint, length),
        }),
      },
      { exact: 'unseen', event: 'unseen', 'headers-apart': 'unseen', endpoints: 'confirmed', 'letting-go': 'unseen' },
    ],
  ])('%s is noticed', { timeout: 60_000 }, async (_, setting, expected) => {
    expect((await verdicts(setting)).verdicts).toMatchObject(expected);
  });

  test('a chip whose clock makes no difference is noticed', { timeout: 30_000 }, async () => {
    const { seen } = await verdicts({});
    const clocks = (low: number, max: number) =>
      findingsOf({
        ...seen,
        clocks: [
          { performance: 'low', medianMs: low },
          { performance: 'max', medianMs: max },
        ],
      }).find(({ id }) => id === 'clocks');
    expect([clocks(4, 1)?.verdict, clocks(1.1, 1)?.verdict]).toEqual(['confirmed', 'refuted']);
  });

  test('without an accelerator, no result is reported', async () => {
    await expect(probe(async () => [], { models: [pair] })).rejects.toMatchObject({ code: 'USB_CHOICE' });
  });
});

/** Opened earlier after a reset, it does not answer. */
function slowStarter(ms: number): NonNullable<Setting['change']> {
  let resetAt = Number.NEGATIVE_INFINITY;
  let deaf = false;
  return (device) => ({
    reset: async () => {
      await device.reset();
      resetAt = performance.now();
    },
    claimInterface: async (number) => {
      await device.claimInterface(number);
      deaf = performance.now() - resetAt < ms;
    },
    controlTransferIn: (setup, length) =>
      deaf ? new Promise(() => undefined) : device.controlTransferIn(setup, length),
  });
}

/** A second transfer while one is under way stalls. */
function oneAtATime(): NonNullable<Setting['change']> {
  let inFlight = 0;
  return (device) => ({
    transferOut: async (endpoint, data) => {
      if (inFlight > 0) return { status: 'stall', bytesWritten: 0 };
      inFlight += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
      inFlight -= 1;
      return device.transferOut(endpoint, data);
    },
  });
}
