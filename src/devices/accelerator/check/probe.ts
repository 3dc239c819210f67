// Exercises everything that the driver does with an accelerator, and records observations. The steps are independent:
// if one fails, the others still run.

import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { elementAt } from '../../../base/checked.js';
import { AtollError, reasonOf } from '../../../base/errors.js';
import { type OnProgress, started } from '../../../base/progress.js';
import type { UsbControlDevice } from '../../transport/index.js';
import type { Accelerator } from '../accelerator.js';
import { type AttachOptions, acceleratorState, attachAccelerator, openAccelerator } from '../attach.js';
import { bringUp, fatalErrorOf, type Performance, performances } from '../bring-up.js';
import { frameDefaults } from '../emulated/register-file.js';
import { type EmulatedModel, type EmulatedProgram, emulatedPrograms } from '../emulated/twin.js';
import { Tag } from '../link.js';
import { registers } from '../registers.js';
import { UsbWatch, type WatchedTransfer } from './watched-usb.js';

export interface Failure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
}

export interface Endpoint {
  readonly direction: 'in' | 'out';
  readonly number: number;
  readonly type: string;
  readonly packetBytes: number;
}

/** Observations; null for steps that were not reached. */
export interface Observations {
  readonly failures: readonly Failure[];
  readonly transfers: readonly WatchedTransfer[];
  /** The device before it got its firmware. */
  readonly waiting: {
    readonly dfuAlternates: number;
    /** From its reset to the end of the bring-up. */
    readonly backAfterMs: number;
  } | null;
  readonly running: { readonly endpoints: readonly Endpoint[]; readonly serialNumber: string | null } | null;
  readonly frame: readonly { readonly register: string; readonly expected: string; readonly found: string }[] | null;
  readonly settling: readonly { readonly ms: number; readonly error: string | null }[];
  readonly runs: Runs | null;
  readonly clocks: readonly { readonly performance: Performance; readonly medianMs: number }[];
  readonly abandoned: { readonly closeMs: number; readonly rightAfterwards: boolean } | null;
  readonly provoked: {
    readonly error: string | null;
    readonly status: string | null;
    readonly rightAfterwards: boolean;
  } | null;
  readonly unplugged: { readonly error: string | null; readonly rightAfterwards: boolean } | null;
}

export interface Runs {
  readonly oneAtATime: boolean;
  readonly inferences: number;
  readonly outputBytes: number;
  readonly differentBytes: number;
  /** For byte elements. */
  readonly maxDifference: number;
  readonly caching: boolean;
  readonly signedLayers: number;
  readonly tiledLayers: number;
}

export interface ProbeOptions extends AttachOptions {
  readonly models: readonly EmulatedModel[];
  readonly samples?: number;
  /** Pauses after a reset to try, one after another. */
  readonly settlingsMs?: readonly number[];
  /** Whether its latencies are those of a chip; true by default. */
  readonly timed?: boolean;
  /** Sends invalid data at the end, which it must refuse. */
  readonly provoke?: boolean;
  /** Asks the user to unplug the device and to plug it in again. */
  readonly ask?: (text: string) => void;
  readonly onProgress?: OnProgress;
}

export const steps = {
  list: 'list',
  first: 'first start',
  frame: 'registers after a reset',
  settling: 'opening soon after a reset',
  runs: 'inferences',
  runsOneAtATime: 'inferences, one transfer at a time',
  clocks: 'clocks',
  abandoned: 'an execution that is left',
  provoked: 'what it must refuse',
  unplugged: 'unplugging',
} as const;

const settlingsMs = [0, 100, 300, 600, 1000];
const runsPerClock = 20;
const unknownTag = 15;
const provocationMs = 3000;
const pluggingMs = 120_000;
const uri = 'the accelerator';

/** Conditions that prevent use by anyone, and say nothing about the device. */
const hindrances: ReadonlySet<string> = new Set([
  'USB_CHOICE',
  'USB_PERMISSION',
  'USB_BUSY',
  'EDGETPU_FIRMWARE_MISSING',
  'EDGETPU_FIRMWARE_INVALID',
  'FILE_NOT_READABLE',
]);

/**
 * @throws EDGETPU_TWIN and others for the models; USB_*, EDGETPU_FIRMWARE_* if there is no usable device; device
 * behaviour never throws
 */
export async function probe(
  list: () => Promise<readonly UsbControlDevice[]>,
  options: ProbeOptions,
): Promise<Observations> {
  const programs = options.models.flatMap(emulatedPrograms);
  return new Probe(list, options, programs).all();
}

class Probe {
  private readonly watch: UsbWatch;
  private readonly attaching: AttachOptions;
  private readonly failures: Failure[] = [];

  constructor(
    list: () => Promise<readonly UsbControlDevice[]>,
    private readonly options: ProbeOptions,
    private readonly programs: readonly EmulatedProgram[],
  ) {
    this.watch = new UsbWatch(list);
    this.attaching = { ...options, devices: this.watch.devices };
  }

  async all(): Promise<Observations> {
    const by = steps;
    const waiting = await this.step(by.first, () => this.firstStart());
    const running = await this.step(by.list, () => this.describe());
    const frame = await this.step(by.frame, () => this.readFrame());
    const settling = (await this.step(by.settling, () => this.settle())) ?? [];
    const runs =
      (await this.step(by.runs, () => this.infer(false))) ??
      (await this.step(by.runsOneAtATime, () => this.infer(true)));
    const clocks = this.options.timed === false ? [] : ((await this.step(by.clocks, () => this.clock())) ?? []);
    const abandoned = await this.step(by.abandoned, () => this.abandon());
    const provoked = this.options.provoke === true ? await this.step(by.provoked, () => this.provoke()) : null;
    const { ask } = this.options;
    const unplugged = ask === undefined ? null : await this.step(by.unplugged, () => this.unplug(ask));
    const { failures, watch } = this;
    return {
      failures,
      transfers: watch.transfers,
      waiting,
      running,
      frame,
      settling,
      runs,
      clocks,
      abandoned,
      provoked,
      unplugged,
    };
  }

  private async step<Result>(name: string, work: () => Promise<Result>): Promise<Result | null> {
    this.options.onProgress?.(started(name));
    this.watch.step = name;
    this.watch.oneAtATime = name === steps.runsOneAtATime;
    try {
      return await work();
    } catch (error) {
      if (name === steps.first && hindrances.has(codeOf(error))) throw error;
      this.failures.push({ step: name, code: codeOf(error), message: reasonOf(error) });
      return null;
    } finally {
      this.watch.oneAtATime = false;
    }
  }

  /** null for a device that already had its firmware. */
  private async firstStart(): Promise<Observations['waiting']> {
    const before = (await this.watch.devices()).find((device) => acceleratorState(device) === 'waiting');
    const accelerator = await attachAccelerator(uri, this.attaching);
    await accelerator.close();
    if (before === undefined) return null;
    const [dfu] = before.configurations.flatMap(({ interfaces }) => interfaces);
    const reset = this.watch.of(steps.first).find(({ what }) => what === 'reset');
    const backAgain = this.watch.of(steps.first).find(({ what, atMs }) => what === 'open' && atMs > (reset?.atMs ?? 0));
    return { dfuAlternates: dfu?.alternates.length ?? 0, backAfterMs: (backAgain?.atMs ?? 0) - (reset?.atMs ?? 0) };
  }

  private async describe(): Promise<Observations['running']> {
    const device = (await this.watch.devices()).find((one) => acceleratorState(one) === 'running');
    if (device === undefined) throw new Error('no accelerator that runs its firmware is on the bus');
    const all = device.configurations.flatMap(({ interfaces }) =>
      interfaces.flatMap(({ alternate }) => alternate.endpoints),
    );
    const endpoints = all.map(({ direction, endpointNumber, type, packetSize }) => ({
      direction,
      number: endpointNumber,
      type,
      packetBytes: packetSize,
    }));
    return { endpoints, serialNumber: device.serialNumber ?? null };
  }

  private async readFrame(): Promise<Observations['frame']> {
    const { link } = await openAccelerator(uri, this.attaching);
    try {
      const frame = [];
      for (const [register, value] of frameDefaults)
        frame.push({ register: register.name, expected: hex(value), found: hex(await link.read(register)) });
      return frame;
    } finally {
      await link.close();
    }
  }

  private async settle(): Promise<Observations['settling']> {
    const results = [];
    for (const ms of this.options.settlingsMs ?? settlingsMs) {
      const outcome = await this.started({ settleMs: ms }, async () => null).catch(
        (error: unknown) => `${codeOf(error)}: ${reasonOf(error)}`,
      );
      results.push({ ms, error: outcome });
    }
    return results;
  }

  /** Runs all programs on samples and compares them with the simulator. */
  private async infer(oneAtATime: boolean): Promise<Runs> {
    const { samples = 10 } = this.options;
    let [inferences, outputBytes, differentBytes, maxDifference] = [0, 0, 0, 0];
    await this.started({}, async (accelerator) => {
      for (const { program, compute } of this.programs) {
        for (let seed = 0; seed < samples; seed++) {
          const tensors = samplesOf(program.main.executable.inputs, seed);
          const [found, expected] = [await accelerator.run(program, tensors), compute(tensors).outputs];
          inferences += 1;
          for (const [i, output] of expected.entries()) {
            outputBytes += output.byteLength;
            for (const [at, byte] of output.entries()) {
              const difference = Math.abs(byte - (found[i]?.[at] ?? 0));
              if (difference !== 0) differentBytes += 1;
              maxDifference = Math.max(maxDifference, difference);
            }
          }
        }
      }
    });
    const layers = this.programs.flatMap(({ program: { main } }) => [
      ...main.executable.inputs,
      ...main.executable.outputs,
    ]);
    return {
      ...{ oneAtATime, inferences, outputBytes, differentBytes, maxDifference },
      caching: this.programs.some(({ program }) => program.caching !== null),
      signedLayers: layers.filter(({ flipped }) => flipped).length,
      tiledLayers: layers.filter(({ tiles }) => tiles !== null && tiles[0] * tiles[1] > 1).length,
    };
  }

  private async clock(): Promise<Observations['clocks']> {
    const results = [];
    const { program } = this.first;
    const tensors = samplesOf(program.main.executable.inputs, 0);
    // The slowest performance first and last, so that warming up of this process is not taken for a faster chip.
    for (const performance of [...(Object.keys(performances) as Performance[]), 'low'] as const) {
      const times = await this.started({ performance }, async (accelerator) => {
        const took = [];
        for (let i = 0; i <= runsPerClock; i++) {
          const start = globalThis.performance.now();
          await accelerator.run(program, tensors);
          took.push(globalThis.performance.now() - start);
        }
        // The first run caches the parameters.
        return took.slice(1).sort((a, b) => a - b);
      });
      results.push({ performance, medianMs: elementAt(times, runsPerClock >> 1) });
    }
    return results;
  }

  /** Closes the device in the middle of a transfer. */
  private async abandon(): Promise<Observations['abandoned']> {
    const { program } = this.first;
    const { instructions } = program.caching ?? program.main;
    const { link, packetBytes } = await openAccelerator(uri, this.attaching);
    await bringUp(link, { performance: 'high', packetBytes });
    link.watch({ explain: () => fatalErrorOf(link), warned: async () => undefined });
    await link.send(Tag.instructions, elementAt(instructions, 0), 'instructions');
    await link.flush();
    const start = performance.now();
    await link.close();
    return { closeMs: performance.now() - start, rightAfterwards: await this.right() };
  }

  /** A header with an unknown tag. */
  private async provoke(): Promise<Observations['provoked']> {
    const { link, packetBytes } = await openAccelerator(uri, this.attaching);
    let error: string | null = null;
    let status: string | null = null;
    try {
      await bringUp(link, { performance: 'high', packetBytes });
      link.watch({ explain: () => fatalErrorOf(link), warned: async () => undefined });
      await link.send(unknownTag, new Uint8Array(8), 'something unknown');
      await link.flush();
      await delay(provocationMs);
      status = hex(await link.read(registers.hibErrorStatus));
    } catch (thrown) {
      error = `${codeOf(thrown)}: ${reasonOf(thrown)}`;
    } finally {
      await link.close();
    }
    return { error, status, rightAfterwards: await this.right() };
  }

  private async unplug(ask: (text: string) => void): Promise<Observations['unplugged']> {
    const { program } = this.first;
    const tensors = samplesOf(program.main.executable.inputs, 0);
    let error: string | null = null;
    ask('Pull the plug of the accelerator now, while it works.');
    await this.started({}, async (accelerator) => {
      for (const until = Date.now() + pluggingMs; Date.now() < until; ) {
        await accelerator.run(program, tensors);
        await setImmediate();
      }
    }).catch((thrown: unknown) => {
      error = `${codeOf(thrown)}: ${reasonOf(thrown)}`;
    });
    ask('Plug it in again.');
    const present = async (): Promise<boolean> =>
      (await this.watch.devices()).some((device) => acceleratorState(device) !== null);
    for (const until = Date.now() + pluggingMs; Date.now() < until && !(await present()); ) await delay(200);
    return { error, rightAfterwards: await this.right() };
  }

  /** Whether it restarts and computes correctly. */
  private right(): Promise<boolean> {
    const { program, compute } = this.first;
    const tensors = samplesOf(program.main.executable.inputs, 1);
    return this.started({}, async (accelerator) => {
      const found = await accelerator.run(program, tensors);
      return compute(tensors).outputs.every((output, i) => Buffer.from(output).equals(elementAt(found, i)));
    });
  }

  private get first(): EmulatedProgram {
    const [first] = this.programs;
    if (first === undefined) throw new Error('no program');
    return first;
  }

  private async started<Result>(
    options: AttachOptions,
    work: (accelerator: Accelerator) => Promise<Result>,
  ): Promise<Result> {
    const accelerator = await attachAccelerator(uri, { ...this.attaching, ...options });
    try {
      return await work(accelerator);
    } finally {
      await accelerator.close();
    }
  }
}

/** Smooth areas with some noise, as in images: noise alone saturates most outputs. */
function samplesOf(layers: readonly { readonly bytes: number }[], seed: number): Uint8Array[] {
  return layers.map(({ bytes }, layer) =>
    Uint8Array.from(
      { length: bytes },
      (_, i) => 128 + 100 * Math.sin(i / (90 + 17 * (seed + layer))) + (Math.imul(i, 2654435761) >>> 27),
    ),
  );
}

function codeOf(error: unknown): string {
  return error instanceof AtollError ? error.code : 'INTERNAL';
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
