// Choices of options, declared apart from the stages so that --help need not load them; a test compares both.

export const kernelProfileNames: readonly string[] = [
  'tflm-reference',
  'tflite-reference',
  'tflite-optimized',
  'cmsis-nn',
];
export const schemeChoices: readonly string[] = [
  'float32',
  'float16',
  'dynamic-range',
  'int8',
  'int8-float-fallback',
  'int16x8',
  'int16x8-float-fallback',
];
export const ioTypes: readonly string[] = ['int8', 'uint8', 'int16', 'float32'];
export const rangeMethodNames: readonly string[] = [
  'min-max',
  'moving-average',
  'percentile',
  'mse',
  'entropy',
  'headroom',
];
export const granularities: readonly string[] = ['per-tensor', 'per-channel'];
export const repairChoices: readonly string[] = [
  'dead-channels',
  'equalization',
  'bias-correction',
  'adaptive-rounding',
];
export const widerTypes: readonly string[] = ['int16', 'float32'];

/** Help text of --device. */
export const deviceHelp =
  'sim:TARGET, serial:PATH, serial:TARGET, usb:VID:PID[/SERIAL], usb:TARGET, tcp:HOST:PORT, udp:HOST[:PORT] or ' +
  'mqtt://BROKER/FLEET/DEVICE; see docs/devices.md';

export const ownTargetHelp = 'target file of the device, if its target is not one that `atoll targets` lists';
