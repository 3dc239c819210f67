// The registers of an emulated chip: their values after a reset, and the effects of writing. Values: a recorded start
// of a real device (geohot/edgetpuxray, connect.py) where available, and libedgetpu's common_csr_helper.h.

import { defined } from '../../../base/checked.js';
import {
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
} from '../registers.js';

const { forceSleep, powerState } = fields.scuCtrl3;
/** Index in `topLevelInterrupts`. */
const hotIndex = 3;
/** Number of reads until a state change is visible. */
const settlingReads = 2;

/** Registers of the chip's frame, readable while its core sleeps. */
export const frameDefaults: readonly (readonly [Register, bigint])[] = [
  [registers.scuCtrl0, 0x000f0959n],
  [registers.scuCtrl2, 0x00190000n],
  // Asleep, at 250 MHz.
  [registers.scuCtrl3, 0x50c5025cn],
  [registers.scuCtr7, 0x000c003fn],
  [registers.gcbbCredit0, 0n],
  [registers.omc0, 0x01000001n],
  [registers.omcD4, 1n],
  [registers.omcD8, 0n],
  [registers.omcDc, 0x03ff0000n],
  [registers.rambistCtrl1, 0x0070007fn],
  [registers.slaveMonitorEnable, 0n],
  [registers.masterMonitorEnable, 0n],
  [registers.slaveWriteError, 0n],
  [registers.slaveReadError, 0n],
  [registers.masterWriteError, 0n],
  [registers.masterReadError, 0n],
  [registers.slaveErrorMask, 0n],
  [registers.masterErrorMask, 0n],
];

const coreDefaults: readonly (readonly [Register, bigint])[] = [
  [registers.idle, 0x9000n],
  [registers.tileConfig0, 0n],
  [registers.deepSleep, 0n],
  [registers.descriptorEndpoints, 0n],
  [registers.multipleOutEndpoints, 1n],
  [registers.outfeedChunkLength, 0x80n],
  [registers.fatalErrorControl, 0n],
  [registers.hibErrorStatus, 0n],
  [registers.hibFirstErrorStatus, 0n],
  ...[...runControls.core, ...runControls.tiles].map((register) => [register, runStates.idle] as const),
  ...topLevelInterrupts.flatMap(({ control, status }) => [[control, 0n] as const, [status, 0n] as const]),
];

const known = new Map([...frameDefaults, ...coreDefaults].map(([register]) => [register.at, register]));
const readOnly: ReadonlySet<Register> = new Set([
  registers.hibErrorStatus,
  registers.hibFirstErrorStatus,
  registers.omc0,
]);

export class RegisterFile {
  private readonly values = new Map(frameDefaults);
  /** States that take some reads to become visible. */
  private readonly settling = new Map<Register, { readonly value: bigint; reads: number }>();

  /** null for a register that cannot be read: it does not exist, or its part of the chip sleeps. */
  read(at: number, bits: 32 | 64): bigint | null {
    const register = this.reachable(at, bits);
    if (register === null) return null;
    const coming = this.settling.get(register);
    if (coming !== undefined && --coming.reads <= 0) {
      this.values.set(register, coming.value);
      this.settling.delete(register);
    }
    return this.values.get(register) ?? null;
  }

  write(at: number, bits: 32 | 64, value: bigint): boolean {
    const register = this.reachable(at, bits);
    if (register === null || readOnly.has(register)) return false;
    if (register === registers.scuCtrl3) this.power(Number(value));
    else if (register === registers.omcDc) this.temperature(Number(value));
    else if (register === registers.tileConfig0) this.settling.set(register, { value, reads: settlingReads });
    else this.values.set(register, value);
    return true;
  }

  get(register: Register): bigint | null {
    return this.values.get(register) ?? null;
  }

  /** Overheated; reported until cleared. */
  hot(): void {
    const { omcDc } = registers;
    this.values.set(omcDc, BigInt(withField(Number(this.get(omcDc)), fields.omcDc.warning, 1)));
    this.values.set(defined(topLevelInterrupts[hotIndex]?.status), 1n);
  }

  /** Whether it still reports it. */
  get isHot(): boolean {
    return (
      fieldOf(Number(this.get(registers.omcDc)), fields.omcDc.warning) === 1 ||
      this.get(defined(topLevelInterrupts[hotIndex]?.status)) === 1n
    );
  }

  /** The first fatal error, which stops the chip. */
  fatal(status: bigint): void {
    const before = this.values.get(registers.hibErrorStatus) ?? 0n;
    if (before === 0n) this.values.set(registers.hibFirstErrorStatus, status);
    this.values.set(registers.hibErrorStatus, before | status);
  }

  /** Why it executes nothing; null if it does. */
  get hindrance(): string | null {
    if (this.asleep) return 'it sleeps';
    if (this.get(registers.hibErrorStatus) !== 0n) return 'it has stopped after an error';
    const halted = [...runControls.core, ...runControls.tiles].find((register) => this.get(register) !== runStates.run);
    if (halted !== undefined) return `${halted.name} is not set to run`;
    if (this.get(registers.multipleOutEndpoints) !== 0n)
      return 'it is configured for an endpoint for each kind of data';
    if (this.get(registers.descriptorEndpoints) !== 0xf0n) return 'its events are not restricted to interrupts';
    return null;
  }

  private get asleep(): boolean {
    return fieldOf(Number(this.get(registers.scuCtrl3)), powerState) !== powerStates.running;
  }

  private reachable(at: number, bits: 32 | 64): Register | null {
    const register = known.get(at);
    if (register === undefined || register.bits !== bits) return null;
    return register.bits === 64 && this.asleep ? null : register;
  }

  /** Warnings cannot be set by writing, only cleared. */
  private temperature(value: number): void {
    const before = Number(this.get(registers.omcDc));
    const still = (shown: Field, clearing: Field): number =>
      fieldOf(value, clearing) === 1 ? 0 : fieldOf(before, shown);
    const { shutdown, shutdownClear, warning, warningClear } = fields.omcDc;
    const shown = withField(
      withField(value, shutdown, still(shutdown, shutdownClear)),
      warning,
      still(warning, warningClear),
    );
    this.values.set(registers.omcDc, BigInt(withField(withField(shown, shutdownClear, 0), warningClear, 0)));
  }

  /** Sleep and wake requests: the core wakes up as after power-on. The state itself cannot be written. */
  private power(value: number): void {
    const now = Number(this.get(registers.scuCtrl3));
    const wanted = fieldOf(value, forceSleep);
    const state =
      wanted === sleep.force
        ? powerStates.sleeping
        : wanted === sleep.end
          ? powerStates.running
          : fieldOf(now, powerState);
    if (state === powerStates.running && this.asleep)
      for (const [register, initial] of coreDefaults) this.values.set(register, initial);
    this.values.set(registers.scuCtrl3, BigInt(withField(value, powerState, fieldOf(now, powerState))));
    this.settling.set(registers.scuCtrl3, { value: BigInt(withField(value, powerState, state)), reads: settlingReads });
  }
}
