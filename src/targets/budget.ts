// Flash and RAM that a target has for a model, in bytes.

import type { KernelProfile, RuntimeKernels } from '../simulator/index.js';
import type { Target } from './load.js';
import { flashPage } from './schema.js';

/** The flash and RAM that a target leaves to a model, in bytes. */
export interface Budget {
  /** One of the two slots in flash; null without flash. */
  readonly slotBytes: number | null;
  /** RAM for the interpreter's arena, in bytes. */
  readonly arenaBytes: number;
}

/**
 * Flash without the firmware's share is divided into two slots of whole pages, so that the old model survives an
 * update.
 */
export function budgetOf(target: Target): Budget {
  const { flash, ram } = target;
  return {
    slotBytes:
      flash === null ? null : Math.floor((flash.usableBytes - flash.firmwareBytes) / 2 / flashPage) * flashPage,
    arenaBytes: ram.bytes - ram.firmwareBytes,
  };
}

/** The kernels that the device's interpreter links; null if no interpreter runs on it. */
export function runtimeKernelsOf(target: Target): RuntimeKernels | null {
  const { runtime, core } = target;
  return runtime.kernels === 'edgetpu' || core === null
    ? null
    : { library: runtime.kernels, simd: core.simd, wideEnums: core.wideEnums };
}

/**
 * The kernel profile that simulates a target. Undefined for accelerators: the simulator uses its default arithmetic,
 * and the limits of TensorFlow Lite Micro do not apply.
 */
export function simulatedProfile({ runtime }: Pick<Target, 'runtime'>): KernelProfile | undefined {
  return runtime.kernels === 'edgetpu' ? undefined : runtime.kernelProfile;
}
