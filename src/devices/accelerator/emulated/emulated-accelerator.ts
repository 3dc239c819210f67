// An accelerator without hardware, in both of its states: listed like a USB device, and answering as libedgetpu's
// source implies.

import type { Executable } from '../../../targets/compiled/index.js';
import type { UsbControlDevice } from '../../transport/index.js';
import type { AcceleratorProgram } from '../program.js';
import { Bootloader } from './bootloader.js';
import { Chip, type ChipOptions } from './chip.js';
import type { UsbGadget } from './gadget.js';
import { type EmulatedModel, type EmulatedProgram, emulatedPrograms } from './twin.js';
import { EmulatedUsbDevice, type Plug, type TransferKind, type UsbFault } from './usb.js';

export interface EmulatedAcceleratorOptions extends ChipOptions {
  /** Models that it can run: compiled models with their uncompiled ones. */
  readonly models: readonly EmulatedModel[];
  /** The firmware that it waits for; by default it already runs. */
  readonly firmware?: Uint8Array;
  /** Called before each transfer, with its number from 1. */
  readonly fault?: (transfer: number, kind: TransferKind) => UsbFault | null;
}

export class EmulatedAccelerator {
  readonly chip: Chip;
  transfers = 0;
  private device: EmulatedUsbDevice | null;
  private gadget: UsbGadget;
  private readonly programs: readonly EmulatedProgram[];
  private readonly plug: Plug;

  /** @throws EDGETPU_TWIN, EDGETPU_PACKAGE_INVALID, EDGETPU_EXECUTABLE */
  constructor(private readonly options: EmulatedAcceleratorOptions) {
    this.programs = options.models.flatMap(emulatedPrograms);
    this.chip = new Chip(this.programs, options);
    this.plug = {
      fault: (kind) => {
        this.transfers += 1;
        return this.options.fault?.(this.transfers, kind) ?? null;
      },
      attached: (device) => this.device === device,
      unplug: () => this.unplug(),
      became: (gadget) => this.become(gadget),
    };
    this.gadget = this.unpowered();
    this.device = new EmulatedUsbDevice(this.gadget, this.plug);
  }

  /** In the form of the package usb. */
  readonly devices = async (): Promise<readonly UsbControlDevice[]> => (this.device === null ? [] : [this.device]);

  /** The device's behaviour, for other ways to carry its transfers. */
  get current(): UsbGadget {
    return this.gadget;
  }

  /** Whether it can compute the outputs of a program. */
  knows({ main }: AcceleratorProgram): boolean {
    return this.programs.some(({ program }) => samePrograms(program.main.executable, main.executable));
  }

  /** Milliseconds that memoized inferences would have taken. */
  readonly rememberedMs = (): number => this.chip.rememberedMs;

  unplug(): void {
    const { device } = this;
    this.device = null;
    device?.gone();
  }

  /** Plugs it in again: the content of its memory is lost. */
  plugIn(): void {
    this.unplug();
    this.chip.reset();
    this.become(this.unpowered());
  }

  private unpowered(): UsbGadget {
    const { firmware } = this.options;
    return firmware === undefined
      ? this.chip
      : new Bootloader((sent) => (Buffer.from(firmware).equals(sent) ? this.chip : null));
  }

  private become(gadget: UsbGadget): void {
    this.device?.gone();
    this.gadget = gadget;
    this.device = new EmulatedUsbDevice(gadget, this.plug);
  }
}

function samePrograms(one: Executable, other: Executable): boolean {
  const same = (a: Uint8Array, b: Uint8Array | undefined): boolean => b !== undefined && Buffer.from(a).equals(b);
  const chunks =
    one.instructions.length === other.instructions.length &&
    one.instructions.every(({ bytes }, i) => same(bytes, other.instructions[i]?.bytes));
  return chunks && same(one.parameters, other.parameters) && one.parameterCachingToken === other.parameterCachingToken;
}
