import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type AcceleratorProgram,
  type AttachOptions,
  attachAccelerator,
  EmulatedAccelerator,
  type EmulatedAcceleratorOptions,
  findFirmware,
  programOf,
} from '../../../../src/devices/accelerator/index.js';
import { putWord } from '../../../../src/devices/accelerator/linking.js';
import { registers } from '../../../../src/devices/accelerator/registers.js';
import type { UsbControlDevice } from '../../../../src/devices/transport/index.js';
import { extract, type Model } from '../../../../src/formats/tflite/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { compiledModelOf } from '../../../../src/targets/compiled/index.js';
import { changedUsb } from '../../../support/changed-usb.js';
import { compiledPair, type Pair } from '../../../support/compiled-pair.js';
import { temporaryFolder } from '../../../support/files.js';

const folder = temporaryFolder();
const uri = 'usb:18d1:9302';
const pair = compiledPair();

function programIn(model: Model): AcceleratorProgram {
  const [part] = compiledModelOf(model)?.parts ?? [];
  if (part === undefined) throw new Error('not compiled');
  return programOf(part, 'operator 0');
}

/** What the part on the Edge TPU gives, by the simulator. */
function expectedOf({ uncompiled }: Pair, sample: Uint8Array): Uint8Array {
  return new Interpreter(extract(uncompiled, [0], [2]).model).run(sample);
}

function sampleOf(seed: number): Uint8Array {
  return Uint8Array.from({ length: 80 }, (_, i) => (i * 29 + seed * 53) & 255);
}

function emulated(options: Partial<EmulatedAcceleratorOptions> = {}): EmulatedAccelerator {
  return new EmulatedAccelerator({ models: [pair], ...options });
}

const quick = { settleMs: 0, comingBackMs: 200, timeoutMs: 30 } as const;

function attach(accelerator: EmulatedAccelerator, options: AttachOptions = {}) {
  return attachAccelerator(uri, { devices: accelerator.devices, ...quick, ...options });
}

describe('an accelerator', () => {
  test.each([
    ['at a port of USB 3', true],
    ['at a port of USB 2', false],
  ])('%s gives the bits of the simulator, from tiles and signed', async (_, superSpeed) => {
    const usb = emulated({ superSpeed });
    const accelerator = await attach(usb);
    const program = programIn(pair.compiled);
    for (const seed of [1, 2, 3]) {
      const [output] = await accelerator.run(program, [sampleOf(seed)]);
      expect(output).toEqual(expectedOf(pair, sampleOf(seed)));
    }
    expect(usb.chip.refusal).toBeNull();
    await accelerator.close();
  });

  test('caches parameters once, and again after another model replaced them', async () => {
    const other = compiledPair(7);
    const usb = emulated({ models: [pair, other] });
    const accelerator = await attach(usb);
    const [first, second] = [programIn(pair.compiled), programIn(other.compiled)];
    const transfersOf = async (program: AcceleratorProgram): Promise<number> => {
      const before = usb.transfers;
      await accelerator.run(program, [sampleOf(1)]);
      return usb.transfers - before;
    };
    // Instructions twice, input twice, each with a header; a read of the output, and the event.
    expect(await transfersOf(first)).toBe(8 + 2 + 7);
    expect(await transfersOf(first)).toBe(8 + 2);
    expect(await transfersOf(second)).toBe(8 + 2 + 7);
    expect(await transfersOf(first)).toBe(8 + 2 + 7);
    await accelerator.close();
  });

  test('runs one after another, whoever asks', async () => {
    const other = compiledPair(7);
    const accelerator = await attach(emulated({ models: [pair, other] }));
    const [first, second] = [programIn(pair.compiled), programIn(other.compiled)];
    const jobs = [1, 2, 3, 4, 5, 6].map(async (seed) => {
      const [program, from] = seed % 2 === 0 ? [first, pair] : [second, other];
      const [output] = await accelerator.run(program, [sampleOf(seed)]);
      expect(output).toEqual(expectedOf(from, sampleOf(seed)));
    });
    await Promise.all(jobs);
    await accelerator.close();
  });

  test.each(['low', 'medium', 'high', 'max'] as const)(
    'starts at the clock that is asked for: %s',
    async (performance) => {
      const usb = emulated();
      const accelerator = await attach(usb, { performance });
      const bits = { low: [3, 1, 1], medium: [2, 1, 0], high: [1, 1, 0], max: [0, 0, 0] } as const;
      const [device] = await usb.devices();
      const { at } = registers.scuCtrl3;
      const setup = {
        requestType: 'vendor',
        recipient: 'device',
        request: 1,
        value: at & 0xffff,
        index: at >> 16,
      } as const;
      const scuCtrl3 = (await device?.controlTransferIn(setup, 4))?.data?.getUint32(0, true) ?? 0;
      expect([(scuCtrl3 >>> 28) & 3, (scuCtrl3 >>> 30) & 1, scuCtrl3 >>> 31]).toEqual(bits[performance]);
      await accelerator.close();
    },
  );

  test('accepts only inputs of its size', async () => {
    const accelerator = await attach(emulated());
    await expect(accelerator.run(programIn(pair.compiled), [new Uint8Array(79)])).rejects.toMatchObject({
      code: 'INPUT_SIZE',
    });
    await accelerator.close();
  });

  test('can be opened again after it was closed', async () => {
    const usb = emulated();
    for (const seed of [1, 2]) {
      const accelerator = await attach(usb);
      expect((await accelerator.run(programIn(pair.compiled), [sampleOf(seed)]))[0]).toEqual(
        expectedOf(pair, sampleOf(seed)),
      );
      await accelerator.close();
      const [device] = await usb.devices();
      expect(device?.opened).toBe(false);
    }
  });

  test('a missing or ambiguous accelerator is an error', async () => {
    const usb = emulated();
    const twice = async () => [...(await usb.devices()), ...(await emulated().devices())];
    await expect(attachAccelerator(uri, { devices: async () => [] })).rejects.toMatchObject({ code: 'USB_CHOICE' });
    await expect(attachAccelerator(uri, { devices: twice })).rejects.toMatchObject({ code: 'USB_CHOICE' });
  });
});

describe('the firmware', () => {
  const firmware = Uint8Array.from({ length: 1000 }, (_, i) => (i === 0 ? 2 : (i * 13) & 255));
  const file = `${folder}/firmware.bin`;
  writeFileSync(file, firmware);

  test('is written to a device that waits for it, read back, and started', async () => {
    const usb = emulated({ firmware });
    expect((await usb.devices())[0]).toMatchObject({ vendorId: 0x1a6e, productId: 0x089a });
    const steps: string[] = [];
    const accelerator = await attach(usb, { firmware: { path: file }, onProgress: ({ step }) => steps.push(step) });
    expect((await accelerator.run(programIn(pair.compiled), [sampleOf(1)]))[0]).toEqual(expectedOf(pair, sampleOf(1)));
    expect(steps).toEqual(['load the firmware', 'start the accelerator']);
    await accelerator.close();
    // It stays until the plug is pulled.
    expect((await usb.devices())[0]).toMatchObject({ vendorId: 0x18d1, productId: 0x9302 });
    usb.plugIn();
    expect((await usb.devices())[0]).toMatchObject({ vendorId: 0x1a6e });
  });

  test('a missing file is an error', async () => {
    const none = attach(emulated({ firmware }), { firmware: { libraries: [`${folder}/libedgetpu.so.1`] } });
    await expect(none).rejects.toMatchObject({ code: 'EDGETPU_FIRMWARE_MISSING' });
  });

  test('that the device does not run: it does not come back', async () => {
    const usb = emulated({ firmware: firmware.slice(1) });
    await expect(attach(usb, { firmware: { path: file } })).rejects.toMatchObject({
      code: 'EDGETPU_START',
      message: expect.stringContaining('did not come back'),
    });
  });

  test.each([
    ['nothing', new Uint8Array(0), '0 bytes'],
    ['far too much', new Uint8Array(70_000), '70000 bytes'],
    ['no code of its controller', Uint8Array.of(1, 2, 3), 'jump'],
    ['a library without it', Buffer.from('\x7fELF and so on', 'latin1'), 'a different firmware'],
  ])('that is none is refused: %s', async (_, content, reason) => {
    writeFileSync(`${folder}/none.bin`, content);
    await expect(findFirmware({ path: `${folder}/none.bin` })).rejects.toMatchObject({
      code: 'EDGETPU_FIRMWARE_INVALID',
      message: expect.stringContaining(reason),
    });
  });

  test('that cannot be read is named', async () => {
    await expect(findFirmware({ path: `${folder}/missing.bin` })).rejects.toMatchObject({ code: 'FILE_NOT_READABLE' });
    expect(await findFirmware({ libraries: [] })).toBeNull();
  });

  test.each(['unplug', 'stall', 'short', 'garbage', 'silence'] as const)(
    'whatever goes wrong on its way (%s): a coded error, or a device that runs',
    async (what) => {
      const usb = emulated({ firmware });
      await (await attach(usb, { firmware: { path: file } })).close();
      const all = usb.transfers;
      // Its memory is read back in more than a hundred transfers that are all alike.
      for (let at = 1; at <= all; at += at > 20 && at < 120 ? 17 : 1) {
        let faulty = true;
        const broken = emulated({ firmware, fault: (transfer) => (faulty && transfer === at ? what : null) });
        const outcome = await within(attach(broken, { firmware: { path: file }, comingBackMs: 30 }));
        if (outcome instanceof Error)
          expect((outcome as { code?: string }).code, `at ${at}`).toMatch(/^(EDGETPU_|DFU_|DEVICE_)/);
        else await outcome.close();
        faulty = false;
        broken.plugIn();
        const again = await attach(broken, { firmware: { path: file } });
        expect((await again.run(programIn(pair.compiled), [sampleOf(3)]))[0]).toEqual(expectedOf(pair, sampleOf(3)));
        await again.close();
      }
    },
  );
});

/** What it gives, or its error; a failure where it hangs. */
async function within<Result>(work: Promise<Result>): Promise<Result | Error> {
  const hung = Symbol('hung');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof hung>((resolve) => {
    timer = setTimeout(() => resolve(hung), 8000);
  });
  const outcome = await Promise.race([
    work.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
    late,
  ]);
  clearTimeout(timer);
  if (outcome === hung) throw new Error('it hung');
  return outcome as Result | Error;
}

describe('with any fault', () => {
  const program = programIn(pair.compiled);

  /** Opens it and runs a sample, with a fault at one transfer. */
  async function withFault(at: number, what: 'unplug' | 'stall' | 'short' | 'garbage' | 'silence') {
    let faulty = true;
    const usb = emulated({ fault: (transfer) => (faulty && transfer === at ? what : null) });
    const outcome = await within(
      attach(usb).then(async (accelerator) => {
        try {
          return (await accelerator.run(program, [sampleOf(1)]))[0] as Uint8Array;
        } finally {
          await accelerator.close();
        }
      }),
    );
    faulty = false;
    usb.plugIn();
    const again = await attach(usb);
    expect((await again.run(program, [sampleOf(2)]))[0]).toEqual(expectedOf(pair, sampleOf(2)));
    await again.close();
    return outcome;
  }

  test.each(['unplug', 'stall', 'short', 'silence', 'garbage'] as const)(
    '%s, at each transfer: a coded error, no hang, and after plugging in again it works',
    async (what) => {
      const usb = emulated();
      const accelerator = await attach(usb);
      await accelerator.run(program, [sampleOf(1)]);
      const all = usb.transfers;
      await accelerator.close();
      let errors = 0;
      for (let at = 1; at <= all; at++) {
        const outcome = await withFault(at, what);
        if (outcome instanceof Error) {
          errors += 1;
          expect((outcome as { code?: string }).code, `at ${at}: ${outcome.message}`).toMatch(
            /^(EDGETPU_(START|TRANSFER|SILENT|ANSWER|FATAL)|DEVICE_CLOSED)$/,
          );
        } else if (what !== 'garbage') expect(outcome, `at ${at}`).toEqual(expectedOf(pair, sampleOf(1)));
      }
      // A register may well hold anything, and nobody knows what an output is to be.
      expect(errors).toBeGreaterThan(what === 'garbage' ? 10 : all - 3);
    },
  );

  test('the chip stops: its own error is reported, in any wait', async () => {
    const usb = emulated();
    const accelerator = await attach(usb);
    const stranger = programIn(compiledPair(9).compiled);
    const failure = await within(accelerator.run(stranger, [sampleOf(1)]));
    expect(failure).toMatchObject({ code: expect.stringMatching(/^EDGETPU_(FATAL|TRANSFER)$/) });
    expect(usb.chip.refusal).toContain('belong to no known program');
    // All that follows fails the same way, at once.
    await expect(accelerator.run(program, [sampleOf(1)])).rejects.toBe(failure);
    await accelerator.close();
  });
});

describe('the behaviour that a real one may have', () => {
  const program = programIn(pair.compiled);

  /** The emulated one, with something of it done otherwise. */
  function changed(usb: EmulatedAccelerator, change: (device: UsbControlDevice) => Partial<UsbControlDevice>) {
    const devices = changedUsb(usb.devices, change);
    return { devices, ...quick };
  }

  test('a temperature warning is recorded and reported, and ends nothing', async () => {
    const usb = emulated();
    const warnings: string[] = [];
    const accelerator = await attach(usb, { onWarning: (text) => warnings.push(text) });
    await accelerator.run(program, [sampleOf(1)]);
    usb.chip.heat();
    expect(usb.chip.isHot).toBe(true);
    await expect.poll(() => warnings).toEqual([`${uri} warns: hot`]);
    expect(usb.chip.isHot).toBe(false);
    expect((await accelerator.run(program, [sampleOf(2)]))[0]).toEqual(expectedOf(pair, sampleOf(2)));
    await accelerator.close();
  });

  test('empty packets without end are an error, not a wait', async () => {
    const usb = emulated();
    const options = changed(usb, (device) => ({
      transferIn: async (endpoint, length) =>
        endpoint === 1 ? { status: 'ok', data: new DataView(new ArrayBuffer(0)) } : device.transferIn(endpoint, length),
    }));
    const accelerator = await attachAccelerator(uri, options);
    const failure = await within(accelerator.run(program, [sampleOf(1)]));
    expect(failure).toMatchObject({ code: 'EDGETPU_ANSWER', message: expect.stringContaining('empty packets') });
    await accelerator.close();
  });

  test('a fatal error without a reason is still fatal', async () => {
    const usb = emulated();
    const asked = `0 ${registers.hibErrorStatus.at}`;
    let stop = (): void => undefined;
    const stopped = new Promise<{ status: string; data: DataView }>((resolve) => {
      stop = () => resolve({ status: 'ok', data: new DataView(Uint8Array.of(1, 0, 0, 0).buffer) });
    });
    const options = changed(usb, (device) => ({
      transferIn: (endpoint, length) => (endpoint === 3 ? stopped : device.transferIn(endpoint, length)),
      controlTransferIn: async (setup, length) =>
        `${setup.request} ${setup.value | (setup.index << 16)}` === asked
          ? { status: 'stall' }
          : device.controlTransferIn(setup, length),
    }));
    const accelerator = await attachAccelerator(uri, options);
    stop();
    await expect.poll(() => accelerator.broken).toBe(true);
    await expect(accelerator.run(program, [sampleOf(1)])).rejects.toMatchObject({
      code: 'EDGETPU_FATAL',
      message: expect.stringContaining('could not be read'),
    });
    await accelerator.close();
  });

  test('a device in use by another process is not reset', async () => {
    const usb = emulated();
    let resets = 0;
    const options = changed(usb, () => ({
      claimInterface: async () => {
        throw new Error('claimInterface error: Error: LIBUSB_ERROR_BUSY');
      },
      reset: async () => {
        resets += 1;
      },
    }));
    await expect(attachAccelerator(uri, options)).rejects.toMatchObject({ code: 'USB_BUSY' });
    expect(resets).toBe(0);
  });

  test('one that has ended leaves the next one alone', async () => {
    const usb = emulated();
    const before = await attach(usb);
    await before.close();
    const after = await attach(usb);
    const transfers = usb.transfers;
    await expect(before.run(program, [sampleOf(1)])).rejects.toMatchObject({ code: 'DEVICE_CLOSED' });
    await before.close();
    expect(usb.transfers).toBe(transfers);
    expect((await after.run(program, [sampleOf(2)]))[0]).toEqual(expectedOf(pair, sampleOf(2)));
    await after.close();
  });

  test('started while it is being cancelled, it reports the cancellation', async () => {
    const stopping = new AbortController();
    const starting = attach(emulated(), { settleMs: 10_000, signal: stopping.signal });
    stopping.abort(new Error('called off'));
    await expect(starting).rejects.toThrow('called off');
  });

  test('after an error within a program it is not used any more', async () => {
    const accelerator = await attach(emulated());
    const { executable, instructions } = program.main;
    const strange = { of: 'output', layer: 5 } as const;
    const transfers = executable.transfers.map((transfer) =>
      transfer.what === 'data' ? { ...transfer, place: strange } : transfer,
    );
    await expect(
      accelerator.run({ ...program, main: { executable: { ...executable, transfers }, instructions } }, [sampleOf(1)]),
    ).rejects.toThrow();
    expect(accelerator.broken).toBe(true);
    await accelerator.close();
  });
});

describe('a program that this driver cannot run', () => {
  const [part] = compiledModelOf(pair.compiled)?.parts ?? [];
  if (part === undefined) throw new Error('not compiled');
  const changed = (change: object) => ({
    ...part,
    executables: part.executables.map((one) => ({ ...one, ...change })),
  });

  test.each([
    ['for another chip', changed({ chip: 'abrolhos' }), 'chip abrolhos'],
    ['of batches', changed({ batchSize: 4 }), 'batches of 4'],
    ['whose transfers only the device knows', changed({ deterministic: false }), 'in advance'],
    ['without transfers', changed({ transfers: [] }), 'in advance'],
    [
      'that caches with inputs',
      {
        ...part,
        executables: part.executables.map((one) =>
          one.kind === 'parameter-caching' ? { ...one, inputs: part.executables.flatMap(({ inputs }) => inputs) } : one,
        ),
      },
      'inputs or outputs',
    ],
    ['without a token', changed({ parameterCachingToken: 0n }), 'token'],
    ['without the executable that runs', { ...part, executables: part.executables.slice(1) }, 'parameter-caching'],
    ['without the one that caches', { ...part, executables: part.executables.slice(0, 1) }, 'nothing caches'],
  ])('is refused before anything is sent: %s', (_, broken, reason) => {
    expect(() => programOf(broken, 'operator 0')).toThrow(
      expect.objectContaining({ code: 'EDGETPU_EXECUTABLE', message: expect.stringContaining(reason) }),
    );
  });
});

test.each([0, 3, 7])('an address is written to bit %d of a byte, and the other bits are unchanged', (shift) => {
  const bytes = new Uint8Array(6).fill(0xff);
  putWord(bytes, 8 + shift, 0x12345678);
  const all = bytes.reduce((sum, byte, i) => sum | (BigInt(byte) << BigInt(8 * i)), 0n);
  const from = BigInt(8 + shift);
  expect((all >> from) & 0xffffffffn).toBe(0x12345678n);
  const ones = (1n << 48n) - 1n;
  expect(all | (0xffffffffn << from)).toBe(ones);
});
