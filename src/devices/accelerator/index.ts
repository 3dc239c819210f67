// The Edge TPU on a USB port: loads its firmware, starts it, and runs models compiled by edgetpu_compiler on it,
// without libedgetpu. Takes a compiled model, returns a runner; operators outside the compiled parts run on the
// simulator.

export { Accelerator, type AcceleratorOptions } from './accelerator.js';
export { type AcceleratorEngine, acceleratorEngine } from './accelerator-engine.js';
export { type AttachOptions, acceleratorState, attachAccelerator } from './attach.js';
export { type Performance, performances } from './bring-up.js';
export { AcceleratedModel, type CompiledRun } from './compiled-model.js';
export { EmulatedAccelerator, type EmulatedAcceleratorOptions } from './emulated/emulated-accelerator.js';
export type { EmulatedModel } from './emulated/twin.js';
export { type Firmware, findFirmware, firmwareVariable } from './firmware.js';
export { acceleratorIds } from './ids.js';
export { acceleratorOptions, connectAccelerator, connectEmulated, isAcceleratorUri } from './local-device.js';
export { type AcceleratorProgram, programOf } from './program.js';
