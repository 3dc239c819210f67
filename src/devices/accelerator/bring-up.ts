// Brings the chip from power-on to a state in which it executes. The steps and their order are those of libedgetpu:
// driver/usb/usb_driver.cc (DoOpen, InitializeChip), driver/beagle/beagle_top_level_handler.cc,
// beagle_top_level_interrupt_manager.cc and driver/run_controller.cc.

import { fail } from '../../base/errors.js';
import type { AcceleratorLink } from './link.js';
import {
  allTiles,
  clockGates,
  type Field,
  fieldOf,
  fields,
  powerStates,
  type Register,
  registers,
  runControls,
  runStates,
  sleep,
  topLevelInterrupts,
  withField,
} from './registers.js';

/** Clock of the core and related units, by the names of libedgetpu's performance expectations. */
export const performances = {
  low: { coreMHz: 63, coreClockDivider: 3, axiAt125MHz: 1, usbControllerAt250MHz: 1 },
  medium: { coreMHz: 125, coreClockDivider: 2, axiAt125MHz: 1, usbControllerAt250MHz: 0 },
  high: { coreMHz: 250, coreClockDivider: 1, axiAt125MHz: 1, usbControllerAt250MHz: 0 },
  max: { coreMHz: 500, coreClockDivider: 0, axiAt125MHz: 0, usbControllerAt250MHz: 0 },
} as const;
export type Performance = keyof typeof performances;

/** Only events of the scalar core are enabled; the executable contains everything else. */
const coreEventsOnly = 0xf0n;
/**
 * Output chunk length in units of 8 bytes: whole packets at SuperSpeed, less than a packet below it (a workaround of
 * libedgetpu).
 */
const chunkLengths = { superSpeed: 0x80n, slower: 0x20n } as const;
const superSpeedPacketBytes = 1024;
const idleCounter = 1n;
/** toSleepDelay 2, toWakeDelay 30. */
const sleepDelays = 2n | (30n << 8n);
/** Number of reads after which a state is considered not to come. */
const maxPolls = 2000;

export interface BringUp {
  readonly performance: Performance;
  /** Packet size of the output endpoint. */
  readonly packetBytes: number;
}

/** @throws EDGETPU_START, EDGETPU_TRANSFER, EDGETPU_SILENT, EDGETPU_ANSWER, DEVICE_CLOSED */
export async function bringUp(link: AcceleratorLink, { performance, packetBytes }: BringUp): Promise<void> {
  const steps = new Steps(link);
  await steps.change(
    registers.scuCtrl0,
    [fields.scuCtrl0.pcieInactivePhyMode, 0],
    [fields.scuCtrl0.usbInactivePhyMode, 0],
  );
  const gated = fieldOf(Number(await link.read(registers.scuCtrl2)), fields.scuCtrl2.gatedCore) === clockGates.hardware;
  if (gated) await steps.change(registers.scuCtrl2, [fields.scuCtrl2.gatedCore, clockGates.none]);
  await enterReset(link, steps);
  await leaveReset(link, steps, performance);
  await steps.change(registers.scuCtrl2, [fields.scuCtrl2.gatedCore, clockGates.hardware]);
  // The revision in its fuses; Google's driver reads it here too.
  await link.read(registers.omc0);
  await link.write(registers.descriptorEndpoints, coreEventsOnly);
  await link.write(registers.multipleOutEndpoints, 0n);
  await link.write(
    registers.outfeedChunkLength,
    packetBytes >= superSpeedPacketBytes ? chunkLengths.superSpeed : chunkLengths.slower,
  );
  await steps.runControl(runStates.run);
  await enableInterrupts(link, steps);
}

/** Stops the chip and puts it to sleep: it draws little power, and the next user finds a clean chip. */
export async function shutDown(link: AcceleratorLink): Promise<void> {
  const steps = new Steps(link);
  for (const { control } of topLevelInterrupts) await link.write(control, 0n);
  await steps.change(registers.omcD4, [fields.omcD4.warningEnabled, 0]);
  await steps.change(registers.rambistCtrl1, [fields.rambistCtrl1.mask, 7]);
  await steps.change(registers.scuCtr7, [fields.scuCtr7.bootFailureMask, 3]);
  for (const register of [
    registers.slaveMonitorEnable,
    registers.masterMonitorEnable,
    registers.slaveErrorMask,
    registers.masterErrorMask,
  ])
    await link.write(register, 0n);
  await steps.change(registers.omcD8, [fields.omcD8.shutdownEnabled, 0]);
  await link.write(registers.fatalErrorControl, 0n);
  await steps.runControl(runStates.halt);
  await enterReset(link, steps);
}

/** What the chip reports about a fatal error. */
export async function fatalErrorOf(link: AcceleratorLink): Promise<string> {
  const [status, first] = [await link.read(registers.hibErrorStatus), await link.read(registers.hibFirstErrorStatus)];
  return `hib_error_status 0x${status.toString(16)}, the first was 0x${first.toString(16)}`;
}

/**
 * Clears a warning of the chip's frame, so that it is not reported forever (beagle_top_level_interrupt_manager.cc:
 * DoHandleInterrupt).
 * @param index in `topLevelInterrupts`. @returns the warning
 */
export async function acknowledgeWarning(link: AcceleratorLink, index: number): Promise<string> {
  const interrupt = topLevelInterrupts[index];
  if (interrupt === undefined) return `something unknown (${index})`;
  const steps = new Steps(link);
  await acknowledgements[index]?.(link, steps);
  await link.write(interrupt.status, 0n);
  return interrupt.what;
}

/** In the order of `topLevelInterrupts`. */
const acknowledgements: readonly ((link: AcceleratorLink, steps: Steps) => Promise<void>)[] = [
  (_, steps) => steps.clear(registers.omcDc, [fields.omcDc.shutdown, fields.omcDc.shutdownClear]),
  async (link) => {
    for (const [enable, ...errors] of [
      [registers.slaveMonitorEnable, registers.slaveWriteError, registers.slaveReadError],
      [registers.masterMonitorEnable, registers.masterWriteError, registers.masterReadError],
    ] as const) {
      for (const error of errors) {
        if ((await link.read(error)) !== 1n) continue;
        await link.write(enable, 0n);
        await link.write(enable, 1n);
      }
    }
  },
  async (_, steps) => {
    // Writing a set bit back clears it.
    await steps.change(registers.rambistCtrl1);
    await steps.change(registers.scuCtr7);
  },
  (_, steps) => steps.clear(registers.omcDc, [fields.omcDc.warning, fields.omcDc.warningClear]),
];

async function enterReset(link: AcceleratorLink, steps: Steps): Promise<void> {
  const { forceSleep, powerState } = fields.scuCtrl3;
  const before = Number(await link.read(registers.scuCtrl3));
  if (fieldOf(before, forceSleep) === sleep.force) return;
  await link.write(registers.scuCtrl3, BigInt(withField(before, forceSleep, sleep.force)));
  await steps.until(
    registers.scuCtrl3,
    (value) => fieldOf(Number(value), powerState) === powerStates.sleeping,
    'does not fall asleep',
  );
  // A pulse resets the credits for bulk transfers.
  await link.write(registers.gcbbCredit0, 0xfn);
  await link.write(registers.gcbbCredit0, 0n);
}

async function leaveReset(link: AcceleratorLink, steps: Steps, performance: Performance): Promise<void> {
  const { forceSleep, powerState, coreClockDivider, axiAt125MHz, usbControllerAt250MHz } = fields.scuCtrl3;
  const clocks = performances[performance];
  await steps.change(
    registers.scuCtrl3,
    [forceSleep, sleep.end],
    [coreClockDivider, clocks.coreClockDivider],
    [axiAt125MHz, clocks.axiAt125MHz],
    [usbControllerAt250MHz, clocks.usbControllerAt250MHz],
  );
  await steps.until(
    registers.scuCtrl3,
    (value) => fieldOf(Number(value), powerState) === powerStates.running,
    'does not wake up',
  );
  // A register with a known value after a reset.
  await steps.until(
    registers.scalarCoreRunControl,
    (value) => value === runStates.idle,
    'does not come out of its reset',
  );
  await link.write(registers.idle, idleCounter);
  await steps.toAllTiles();
  await link.write(registers.deepSleep, sleepDelays);
}

async function enableInterrupts(link: AcceleratorLink, steps: Steps): Promise<void> {
  await link.write(registers.fatalErrorControl, 1n);
  for (const { control } of topLevelInterrupts) await link.write(control, 1n);
  await steps.change(registers.omcD4, [fields.omcD4.warningEnabled, 1]);
  // Status bits are cleared by writing 1; 0 leaves them unchanged.
  await steps.change(registers.rambistCtrl1, [fields.rambistCtrl1.status, 0], [fields.rambistCtrl1.mask, 0]);
  await steps.change(
    registers.scuCtr7,
    [fields.scuCtr7.pllLockFailure, 0],
    [fields.scuCtr7.usbSelectFailure, 0],
    [fields.scuCtr7.bootFailureMask, 0],
  );
  await link.write(registers.slaveMonitorEnable, 1n);
  await link.write(registers.masterMonitorEnable, 1n);
  await link.write(registers.slaveErrorMask, 3n);
  await link.write(registers.masterErrorMask, 3n);
  await steps.change(registers.omcD8, [fields.omcD8.shutdownEnabled, 1]);
}

class Steps {
  constructor(private readonly link: AcceleratorLink) {}

  /** Changes some fields of a 32-bit register. */
  async change(register: Register, ...changes: readonly (readonly [Field, number])[]): Promise<void> {
    const before = Number(await this.link.read(register));
    await this.link.write(
      register,
      BigInt(changes.reduce((value, [field, content]) => withField(value, field, content), before)),
    );
  }

  /** Sets the field that clears another one, if that one is set. */
  async clear(register: Register, [shown, clearing]: readonly [Field, Field]): Promise<void> {
    const before = Number(await this.link.read(register));
    await this.link.write(register, BigInt(fieldOf(before, shown) === 0 ? before : withField(before, clearing, 1)));
  }

  /** @param trouble message if the state never comes */
  async until(register: Register, reached: (value: bigint) => boolean, trouble: string): Promise<void> {
    let last = 0n;
    for (let polls = 0; polls < maxPolls; polls++) {
      last = await this.link.read(register);
      if (reached(last)) return;
    }
    throw fail('EDGETPU_START', {
      device: this.link.name,
      reason: `it ${trouble}: ${register.name} stays 0x${last.toString(16)}`,
    });
  }

  /** Broadcasts later tile writes to all tiles; takes effect once it can be read back. */
  async toAllTiles(): Promise<void> {
    await this.link.write(registers.tileConfig0, allTiles);
    await this.until(registers.tileConfig0, (value) => value === allTiles, 'does not reach its tiles');
  }

  async runControl(state: bigint): Promise<void> {
    for (const control of runControls.core) await this.link.write(control, state);
    await this.toAllTiles();
    for (const control of runControls.tiles) await this.link.write(control, state);
  }
}
