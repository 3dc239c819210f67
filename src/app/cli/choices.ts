// Choices of options, declared apart from the stages so that --help need not load them; a test compares both.

export const kernelProfileNames = ['tflm-reference', 'tflite-reference', 'tflite-optimized', 'cmsis-nn'] as const;
export const schemeChoices = [
  'float32',
  'float16',
  'dynamic-range',
  'int8',
  'int8-float-fallback',
  'int16x8',
  'int16x8-float-fallback',
] as const;
export const ioTypes = ['int8', 'uint8', 'int16', 'float32'] as const;
export const rangeMethodNames = ['min-max', 'moving-average', 'percentile', 'mse', 'entropy', 'headroom'] as const;
export const granularities = ['per-tensor', 'per-channel'] as const;
export const repairChoices = ['dead-channels', 'equalization', 'bias-correction', 'adaptive-rounding'] as const;
export const widerTypes = ['int16', 'float32'] as const;

/** Help text of --device. */
export const deviceHelp =
  'sim:TARGET, serial:PATH, serial:TARGET, usb:VID:PID[/SERIAL], usb:TARGET, tcp:HOST:PORT, udp:HOST[:PORT] or ' +
  'mqtt://BROKER/FLEET/DEVICE; see docs/devices.md';

export const ownTargetHelp = 'target file of the device, if its target is not one that `atoll targets` lists';
