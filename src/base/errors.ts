// The table of error codes. Every failure that has a cause outside this program has a code here, with a message that
// names the thing and the place. What to do about it is worded by the application (app/advice). Codes are never reused.
//
// {placeholders} are typed: `fail('TARGET_UNKNOWN', {...})` does not compile without the values that its texts need.

/** Exit code of the command line by kind of error. */
export const exitCodes = { done: 0, refused: 1, usage: 2, input: 3, device: 4, internal: 5, interrupted: 130 } as const;

type Kind = Exclude<keyof typeof exitCodes, 'done'>;
interface Entry {
  readonly kind: Kind;
  readonly message: string;
  /** Values beyond those of the message, for the advice. */
  readonly advice?: readonly string[];
}

/** Message and exit code of every error. */
export const errorTable = {
  // Files in general
  FILE_NOT_READABLE: {
    kind: 'input',
    message: 'cannot read {path}: {reason}',
  },
  FILE_NOT_WRITABLE: {
    kind: 'input',
    message: 'cannot write {path}: {reason}',
  },
  // The model file
  TFLITE_NOT_A_MODEL: {
    kind: 'input',
    message: '{where} is not a TFLite model: {reason}',
  },
  TFLITE_DAMAGED: {
    kind: 'input',
    message: 'damaged model: {reason} (at byte {offset}, in {where})',
  },
  TFLITE_INVALID: {
    kind: 'input',
    message: 'invalid model: {reason}, in {where}',
  },
  TFLITE_UNKNOWN_FIELD: {
    kind: 'input',
    message: 'cannot write {where}: it contains field {slot}, which is newer than the known schema',
  },
  TFLITE_TOO_LARGE: {
    kind: 'input',
    message: 'cannot write a model of {bytes} bytes: a flatbuffer is limited to 2 GiB',
  },
  // Source models and their conversion
  SOURCE_INVALID: {
    kind: 'input',
    message: 'invalid model: {reason}, in {where}',
  },
  SOURCE_UNSUPPORTED: {
    kind: 'input',
    message: '{path} cannot be converted: it is {what}',
    advice: ['kind'],
  },
  CONVERT_UNSUPPORTED: {
    kind: 'input',
    message: '{count} layer(s) cannot be converted: {layers}',
    advice: ['first'],
  },
  CONVERT_LAYER: {
    kind: 'input',
    message: 'layer {layer} ({operator}) cannot be converted: {reason}',
  },
  CONVERT_NO_LAYER: {
    kind: 'input',
    message: 'the model has no layer {layer}{nearest}',
  },
  CONVERT_INPUT_SHAPE: {
    kind: 'input',
    message: 'the shape of input {input} is not fixed: {shape}',
  },
  CONVERT_DIFFERS: {
    kind: 'internal',
    message:
      'the converted model is wrong from layer {layer} ({operator}) on: it differs by {share} of the largest value; ' +
      'nothing was written',
  },
  // Running a model
  SIGNATURE_UNKNOWN: {
    kind: 'usage',
    message: 'the model has no signature {signature}; its signatures: {known}',
  },
  OPERATORS_UNSUPPORTED: {
    kind: 'input',
    message: 'the simulator cannot run {count} operator(s) of this model: {operators}',
  },
  RUN_TIMEOUT: {
    kind: 'refused',
    message: 'an inference took more than {ms} ms and was stopped',
  },
  GATE_FAILED: {
    kind: 'refused',
    message: '{reasons}; {consequence}',
  },
  STREAM_UNSUPPORTED: {
    kind: 'refused',
    message: 'the model keeps state, which is lost between samples here: {reason}',
  },
  RUNTIME_REFUSES: {
    kind: 'input',
    message: '{runtime} refuses this model: {reasons}',
  },
  KERNEL_ENDS: {
    kind: 'input',
    message: '{operator}: {reason}',
  },
  TENSOR_SHAPE_DYNAMIC: {
    kind: 'input',
    message: '{what}',
  },
  OPERATOR_INVALID: {
    kind: 'input',
    message: '{operator}: {reason}',
  },
  TENSOR_TOO_LARGE: {
    kind: 'input',
    message: 'the tensors of the model need {bytes} bytes; the limit of the simulator is {limit}',
  },
  OUTPUT_NOT_A_NUMBER: {
    kind: 'input',
    message: 'the model outputs {value} for sample {sample} of {dataset}',
  },
  INPUT_UNKNOWN: {
    kind: 'usage',
    message: 'no input is named {input}; the inputs are {known}',
  },
  INPUT_SIZE: {
    kind: 'input',
    message: '{where} has {bytes} bytes, which is not a whole number of samples of {sampleBytes} bytes',
  },
  // Datasets
  DATASET_INVALID: {
    kind: 'input',
    message: '{where}: {reason}',
  },
  DATASET_NO_FILES: {
    kind: 'input',
    message: '{where}: no file matches {pattern}',
  },
  DATASET_FILE_SIZE: {
    kind: 'input',
    message: '{path} has {bytes} bytes; a sample of shape [{shape}] and type {type} needs {sampleBytes}',
  },
  DATASET_ARRAY_INVALID: {
    kind: 'input',
    message: '{path} is not a readable array: {reason}',
  },
  DATASET_IMAGE_INVALID: {
    kind: 'input',
    message: 'cannot decode image {path}: {reason}',
  },
  DATASET_LABELS: {
    kind: 'input',
    message: '{where}: {reason}',
  },
  DATASET_FILE_KIND: {
    kind: 'input',
    message: '{path} {reason}',
  },
  DATASET_MISMATCH: {
    kind: 'input',
    message: 'dataset {dataset} does not match the model: {reason}',
  },
  DATASET_NO_METRIC: {
    kind: 'usage',
    message: 'dataset {dataset} cannot be evaluated: {reason}',
  },
  // Quantization
  CALIBRATION_EMPTY: {
    kind: 'input',
    message: 'no calibration samples: {reason}',
  },
  CALIBRATION_MISMATCH: {
    kind: 'input',
    message: 'the calibration statistics cannot be used: {reason}',
  },
  QUANTIZE_NOT_FLOAT: {
    kind: 'input',
    message: '{where} is not a float model: {reason}',
  },
  QUANTIZE_OPERATORS: {
    kind: 'input',
    message: '{count} operator(s) have no {type} form: {operators}',
  },
  QUANTIZE_RANGE: {
    kind: 'input',
    message: 'tensor {tensor} has no usable range: {reason}',
  },
  QUANTIZE_OVERFLOW: {
    kind: 'input',
    message: 'channel {channel} of tensor {tensor} would overflow its 32-bit accumulator',
  },
  MODEL_NOT_INT8: {
    kind: 'input',
    message: 'the model is not entirely {scheme}: {reason}',
  },
  COMPARE_NOTHING: {
    kind: 'input',
    message: 'the two models cannot be compared: {reason}',
  },
  QUANTIZE_VERIFY: {
    kind: 'internal',
    message: 'the quantized model failed verification: {reason}; nothing was written',
  },
  // Targets
  TARGET_UNKNOWN: {
    kind: 'usage',
    message: 'there is no target {target}{nearest}',
  },
  TARGET_INVALID: {
    kind: 'input',
    message: '{where}: {reason}',
  },
  EDGETPU_PACKAGE_INVALID: {
    kind: 'input',
    message: 'not a valid Edge TPU package: {reason}, in {where}',
  },
  EDGETPU_RUNTIME: {
    kind: 'refused',
    message: 'the model requires runtime version {needed} of libedgetpu; {device} has {runtime}',
  },
  EDGETPU_UNCOMPILED: {
    kind: 'refused',
    message: '{where} is not compiled for the Edge TPU, and {device} runs compiled models only',
  },
  STATE_INVALID: {
    kind: 'input',
    message: "{path} is not a device's state: {reason}",
  },
  STATE_BUSY: {
    kind: 'input',
    message: 'process {pid} is using the state in {path}',
    advice: ['lock'],
  },
  EDGETPU_TWIN: {
    kind: 'input',
    message: 'the two models do not belong together: {reason}',
  },
  EDGETPU_TWIN_MISSING: {
    kind: 'input',
    message: 'an emulated accelerator needs the model that {where} was compiled from',
    advice: ['beside'],
  },
  EDGETPU_EXECUTABLE: {
    kind: 'input',
    message: '{where} contains a program that this driver cannot run: {reason}',
  },
  EDGETPU_FIRMWARE_MISSING: {
    kind: 'device',
    message: '{device} needs its firmware, which is not on this machine{looked}',
  },
  EDGETPU_FIRMWARE_INVALID: {
    kind: 'input',
    message: '{path} is not firmware of the accelerator: {reason}',
  },
  EDGETPU_START: {
    kind: 'device',
    message: '{device} does not start: {reason}',
  },
  EDGETPU_TRANSFER: {
    kind: 'device',
    message: '{device}: {what} failed: {reason}',
  },
  EDGETPU_SILENT: {
    kind: 'device',
    message: '{device} did not answer within {ms} ms: {what}',
  },
  EDGETPU_ANSWER: {
    kind: 'device',
    message: '{device} sent an unexpected answer: {what}: {reason}',
  },
  EDGETPU_FATAL: {
    kind: 'device',
    message: '{device} reports a fatal error: {reason}',
  },
  EDGETPU_COMPILER_MISSING: {
    kind: 'usage',
    message: 'there is no executable edgetpu_compiler at {path}',
  },
  EDGETPU_COMPILER_FAILED: {
    kind: 'input',
    message: '{path} failed: {reason}',
  },
  EDGETPU_COMPILE: {
    kind: 'refused',
    message: 'edgetpu_compiler refused {file}: {reason}',
  },
  MODEL_COMPILED: {
    kind: 'input',
    message: '{where} is already compiled for {accelerator}: {reason}',
  },
  MEASUREMENT_INVALID: {
    kind: 'input',
    message: 'not a measurement: {reason}, in {where}',
  },
  RESOLVER_OPERATORS: {
    kind: 'input',
    message: 'TFLite Micro does not have {count} operator(s) of this model: {operators}',
  },
  MODEL_DOES_NOT_FIT: {
    kind: 'refused',
    message: 'the model does not fit {target}: {reasons}',
  },
  // Slot images
  KEY_INVALID: {
    kind: 'input',
    message: '{path} is not a key for bundles: {reason}',
  },
  SLOT_IMAGE_INVALID: {
    kind: 'input',
    message: 'not a valid slot image: {reason}',
  },
  COMPRESSED_IMAGE_INVALID: {
    kind: 'input',
    message: 'not a valid compressed image: {reason}',
  },
  // Protocol and devices
  SMP_MALFORMED: {
    kind: 'device',
    message: 'malformed SMP packet: {reason}',
  },
  CBOR_MALFORMED: {
    kind: 'device',
    message: 'malformed CBOR in {where}: {reason}',
  },
  DEVICE_ERROR: {
    kind: 'device',
    message: 'the device refused {command}: {name} (group {group}, rc {rc}){detail}',
  },
  DEVICE_TIMEOUT: {
    kind: 'device',
    message: 'no answer to {command} within {timeoutMs} ms, in {attempts} attempt(s){seen}',
    advice: ['silence'],
  },
  DEVICE_CLOSED: {
    kind: 'device',
    message: 'the connection to {device} has ended: {reason}',
  },
  DEVICE_UNKNOWN: {
    kind: 'usage',
    message: 'cannot open device {device}: {reason}',
  },
  DEVICE_UNREACHABLE: {
    kind: 'device',
    message: 'cannot reach {device}: {reason}',
  },
  SERIAL_NOT_FOUND: {
    kind: 'device',
    message: 'there is no serial port {path}',
  },
  SERIAL_PERMISSION: {
    kind: 'device',
    message: 'no permission to open the serial port {path}',
  },
  SERIAL_BUSY: {
    kind: 'device',
    message: 'the serial port {path} is in use',
  },
  SERIAL_LIST: {
    kind: 'device',
    message: 'cannot list the serial ports: {reason}',
  },
  SERIAL_CHOICE: {
    kind: 'usage',
    message: '{count} serial ports match {what}{ports}',
  },
  USB_UNAVAILABLE: {
    kind: 'device',
    message: 'USB cannot be used: {reason}',
  },
  USB_CHOICE: {
    kind: 'device',
    message: '{count} USB devices match {what}{serials}',
  },
  USB_NO_INTERFACE: {
    kind: 'device',
    message: '{device} has no vendor-specific interface with two bulk endpoints',
  },
  USB_PERMISSION: {
    kind: 'device',
    message: 'no permission to open {device}',
  },
  USB_BUSY: {
    kind: 'device',
    message: '{device} is in use by another program',
  },
  LISTEN: {
    kind: 'device',
    message: 'cannot listen on {address}: {reason}',
  },
  DEVICE_PROTOCOL: {
    kind: 'device',
    message: '{device} uses protocol version {proto}; this program supports {known}',
  },
  DEVICE_FILES_ONLY: {
    kind: 'device',
    message: '{device} answers, but does not support the commands that run models',
  },
  DEVICE_ANSWER: {
    kind: 'device',
    message: 'unexpected answer to {command}: {reason}',
  },
  DEVICE_OTHER_MODEL: {
    kind: 'device',
    message: 'the device runs model {actual}, not {expected}',
    advice: ['device'],
  },
  BROKER_ADDRESS: {
    kind: 'usage',
    message: '{uri}: {reason}',
  },
  BROKER_UNREACHABLE: {
    kind: 'device',
    message: 'no connection to the broker {broker}: {reason}',
  },
  BROKER_REFUSED: {
    kind: 'device',
    message: 'the broker {broker} refused: {reason}',
  },
  BROKER_QUOTA: {
    kind: 'device',
    message: 'the broker {broker} limits this client: {reason}',
  },
  BROKER_LIMIT: {
    kind: 'device',
    message: 'the broker {broker} does not support fleets: {reason}',
  },
  BROKER_TLS: {
    kind: 'device',
    message: 'no secure connection to the broker {broker}: {reason}',
  },
  ROLLOUT_PLAN: {
    kind: 'input',
    message: '{where}: {reason}',
  },
  ROLLOUT_EXISTS: {
    kind: 'usage',
    message: 'rollout {rollout} of {fleet} already exists, with another bundle ({bundle}...)',
  },
  ROLLOUT_UNKNOWN: {
    kind: 'usage',
    message: 'there is no rollout {rollout} in {store}; it has {known}',
  },
  ROLLOUT_NOT_NOW: {
    kind: 'refused',
    message: 'rollout {rollout}: {reason}',
  },
  ROLLOUT_LEASE: {
    kind: 'device',
    message: 'another agent has taken over rollout {rollout}',
  },
  STORE: {
    kind: 'device',
    message: 'the store {store}: {reason}',
  },
  FLEET_DEVICE: {
    kind: 'refused',
    message: '{device} of fleet {fleet}: {reason}',
  },
  STORE_AWAY: {
    kind: 'device',
    message: 'no connection to the store {store}: {reason}',
  },
  FLASH_NO_WAY: {
    kind: 'device',
    message: 'the flash of {target} cannot be reached: {list}',
  },
  FLASH_OUTSIDE: {
    kind: 'refused',
    message: '{device}: {reason}',
  },
  FLASH_PROGRAM: {
    kind: 'device',
    message: '{program} did not write the model: {reason}',
    advice: ['cause', 'command'],
  },
  FLASH_VERIFY: {
    kind: 'device',
    message: '{device}: byte {offset} of the model reads back as {actual} instead of {expected}',
  },
  DFU_REFUSED: {
    kind: 'device',
    message: '{device} refused {what}: {status}',
  },
  DFU_DEVICE: {
    kind: 'device',
    message: '{device}: {reason}',
  },
  UF2_DRIVE: {
    kind: 'device',
    message: '{count} UF2 drives are mounted{list}',
  },
  UF2_COPY: {
    kind: 'device',
    message: 'only {done} of {total} bytes could be written to {path}: {reason}',
  },
  DEVICE_TARGET: {
    kind: 'refused',
    message: '{device} reports target {reported}, not {target}',
  },
  PUSH_REFUSED: {
    kind: 'refused',
    message: '{device} cannot accept this image: {reasons}',
  },
  PUSH_HASH: {
    kind: 'device',
    message: 'the device stored other bytes than were sent: {actual} instead of {expected}',
  },
  PUSH_UNPROVEN: {
    kind: 'device',
    message: 'cannot verify that {path} was stored correctly: {reason}',
  },
  PUSH_SELF_TEST: {
    kind: 'refused',
    message: 'the device does not compute what the simulator computes: {reason}',
  },
  // Deploy
  PROJECT_INVALID: {
    kind: 'input',
    message: '{where}: {reason}',
  },
  // The command line
  USAGE: {
    kind: 'usage',
    message: '{reason}',
  },
  INTERRUPTED: {
    kind: 'interrupted',
    message: 'interrupted',
  },
  INTERNAL: {
    kind: 'internal',
    message: 'internal error: {reason}',
  },
} as const satisfies Record<string, Entry>;

/** The codes of all errors, which `atoll/error/1` documents carry. */
export type ErrorCode = keyof typeof errorTable;

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
type AdviceValues<C extends ErrorCode> = (typeof errorTable)[C] extends { readonly advice: readonly (infer Name)[] }
  ? Name
  : never;
/** The values that an error of a code needs: those of its message, and those for its advice. */
export type ErrorValues<C extends ErrorCode> = {
  readonly [K in Placeholders<(typeof errorTable)[C]['message']> | (AdviceValues<C> & string)]: string | number;
};

/** An error from the table. `where` names the file, tensor, operator or device if the message has one. */
export class AtollError extends Error {
  override readonly name = 'AtollError';
  /** A code of the error table. */
  readonly code: ErrorCode;
  /** The values that the message is made of, by name. */
  readonly values: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, values: Readonly<Record<string, string | number>>, cause?: unknown) {
    const entry: Entry = errorTable[code];
    super(fillTemplate(entry.message, values), cause === undefined ? undefined : { cause });
    this.code = code;
    this.values = values;
  }

  get where(): string | null {
    for (const key of ['where', 'path', 'tensor', 'operator', 'device', 'target', 'dataset']) {
      const value = this.values[key];
      if (value !== undefined) return String(value);
    }
    return null;
  }

  get exitCode(): number {
    return exitCodes[errorTable[this.code].kind];
  }
}

/** Creates the error for a code. */
export function fail<C extends ErrorCode>(code: C, values: ErrorValues<C>, cause?: unknown): AtollError {
  return new AtollError(code, values as Record<string, string | number>, cause);
}

/** The same error, with the context in which it occurred added to its message. */
export function within(error: unknown, place: string): unknown {
  if (error instanceof AtollError) error.message = `${place}: ${error.message}`;
  return error;
}

/** The text of any thrown value, for use as a {reason}. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Replaces each {name} in a text by its value. */
export function fillTemplate(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, key: string) => {
    const value = values[key];
    return value === undefined ? whole : String(value);
  });
}
