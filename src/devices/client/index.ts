// The host's side of devices. Takes a transport; a DeviceClient describes the device, pushes slot images to it, runs
// its model on samples and reads outputs and latencies. Latencies are in milliseconds, from the device's own clock.

export { type ChallengeResult, DeviceClient, type OperatorTicks } from './client.js';
export {
  type AttachedPort,
  type AttachedUsb,
  attachedPorts,
  attachedUsb,
  matchPorts,
  onlyPort,
  usbOfTarget,
} from './discovery.js';
export { limitFile } from './limit-file.js';
export { type LineBound, lineBound, type UploadPlan } from './line-bound.js';
export { type DeviceAgreement, type DeviceLatency, MeasuredRun, type RunMeasurement } from './measure.js';
export { type PushOptions, type PushResult, type PushStep, push } from './push.js';
export type { SilenceCause } from './silence.js';
export {
  type Answer,
  type DeviceStatus,
  type LearnedLimit,
  type LimitMemory,
  type PacketLimits,
  type RequestOptions,
  SmpClient,
} from './smp-client.js';
export { type UploadOptions, type UploadResult, uploadImage } from './upload.js';
