// The table of error codes. Every failure that has a cause outside this program has a code here, with a message that
// names the thing and the place, and a hint that says what to do. Codes are never reused.
//
// {placeholders} are typed: `fail('TARGET_UNKNOWN', {...})` does not compile without the values that its texts need.

/** Exit code of the command line by kind of error. */
export const exitCodes = { done: 0, refused: 1, usage: 2, input: 3, device: 4, internal: 5, interrupted: 130 } as const;

type Kind = Exclude<keyof typeof exitCodes, 'done'>;
interface Entry {
  readonly kind: Kind;
  readonly message: string;
  readonly hint: string;
}

export const errorTable = {
  // Files in general
  FILE_NOT_READABLE: {
    kind: 'input',
    message: 'cannot read {path}: {reason}',
    hint: 'check the path and its permissions',
  },
  FILE_NOT_WRITABLE: {
    kind: 'input',
    message: 'cannot write {path}: {reason}',
    hint: 'choose a folder that exists and can be written to',
  },
  // The model file
  TFLITE_NOT_A_MODEL: {
    kind: 'input',
    message: '{where} is not a TFLite model: {reason}',
    hint: 'pass a .tflite file (identifier TFL3); a SavedModel or .h5 must be converted to a float .tflite first',
  },
  TFLITE_DAMAGED: {
    kind: 'input',
    message: 'damaged model: {reason} (at byte {offset}, in {where})',
    hint: 'the file is truncated or corrupt: copy it again and compare its SHA-256 with the original',
  },
  TFLITE_INVALID: {
    kind: 'input',
    message: 'invalid model: {reason}, in {where}',
    hint: 'the file is well-formed but contradicts itself: convert or export the model again',
  },
  TFLITE_UNKNOWN_FIELD: {
    kind: 'input',
    message: 'cannot write {where}: it holds field {slot}, which is newer than the schema known here',
    hint: 'update atoll-agent, or export the model with an older converter',
  },
  TFLITE_TOO_LARGE: {
    kind: 'input',
    message: 'cannot write a model of {bytes} bytes: a flatbuffer ends at 2 GiB',
    hint: 'reduce the model first (quantize or prune it)',
  },
  // Running a model
  SIGNATURE_UNKNOWN: {
    kind: 'usage',
    message: 'the model has no signature {signature}; its signatures: {known}',
    hint: 'atoll inspect lists the signatures',
  },
  OPERATORS_UNSUPPORTED: {
    kind: 'input',
    message: 'the simulator cannot run {count} operator(s) of this model: {operators}',
    hint: 'docs/operators.md lists what it runs; replace these operators or cut the model before them',
  },
  RUN_TIMEOUT: {
    kind: 'refused',
    message: 'an inference took more than {ms} ms and was ended',
    hint: 'the model may hold a loop without end; `atoll inspect` shows its subgraphs',
  },
  GATE_FAILED: {
    kind: 'refused',
    message: '{reasons}; {consequence}',
    hint: 'improve the model (`atoll advise`, `atoll compare`), raise the limit, or take it as it is with --force',
  },
  STREAM_UNSUPPORTED: {
    kind: 'refused',
    message: 'the model keeps state, which is lost between samples here: {reason}',
    hint: 'run without --threads; a device needs firmware with the feature `stream` (firmware-protocol/README.md)',
  },
  RUNTIME_REFUSES: {
    kind: 'input',
    message: '{runtime} refuses this model: {reasons}',
    hint: 'quantize the float model again, or choose a kernel profile of a runtime that takes it',
  },
  KERNEL_ENDS: {
    kind: 'input',
    message: '{operator}: {reason}',
    hint: 'the kernel on the device fails on this data too: change the data, or use other kernels (--kernels tflite-optimized, or another target)',
  },
  TENSOR_SHAPE_DYNAMIC: {
    kind: 'input',
    message: '{what}',
    hint: 'give the inputs fixed shapes with --shape NAME=1,96,96,3 (atoll inspect lists them), or export the model with fixed shapes',
  },
  OPERATOR_INVALID: {
    kind: 'input',
    message: '{operator}: {reason}',
    hint: 'the model contradicts the rules of this operator: export it again, and report the file if another runtime takes it',
  },
  TENSOR_TOO_LARGE: {
    kind: 'input',
    message: 'the model needs {bytes} bytes for its tensors; the simulator stops at {limit}',
    hint: 'use a smaller input shape (--shape), or let the simulator take more: ATOLL_MAX_TENSOR_MIB=2047 (default: a quarter of the memory of this machine)',
  },
  OUTPUT_NOT_A_NUMBER: {
    kind: 'input',
    message: 'the model gives {value} for sample {sample} of {dataset}',
    hint: 'check its weights and the data for NaN and infinite values',
  },
  INPUT_UNKNOWN: {
    kind: 'usage',
    message: 'no input is named {input}; the inputs are {known}',
    hint: 'atoll inspect lists the inputs',
  },
  INPUT_SIZE: {
    kind: 'input',
    message: '{where} holds {bytes} bytes, which is not a whole number of samples of {sampleBytes} bytes',
    hint: "give raw little-endian tensors in the model's own types; `atoll inspect` prints the inputs",
  },
  // Datasets
  DATASET_INVALID: { kind: 'input', message: '{where}: {reason}', hint: 'docs/dataset.md describes the dataset file' },
  DATASET_NO_FILES: {
    kind: 'input',
    message: '{where}: no file matches {pattern}',
    hint: 'paths in a dataset file are relative to it; check the pattern and that the data is there',
  },
  DATASET_FILE_SIZE: {
    kind: 'input',
    message: '{path} holds {bytes} bytes; a sample of shape [{shape}] and type {type} takes {sampleBytes}',
    hint: 'correct shape or type in the dataset file, or the data file',
  },
  DATASET_ARRAY_INVALID: {
    kind: 'input',
    message: '{path} is not a readable array: {reason}',
    hint: 'save it again with numpy.save or numpy.savez (C order, a number type)',
  },
  DATASET_IMAGE_INVALID: {
    kind: 'input',
    message: 'cannot decode image {path}: {reason}',
    hint: 'remove the file from the dataset or replace it',
  },
  DATASET_LABELS: {
    kind: 'input',
    message: '{where}: {reason}',
    hint: 'give one label per sample, in the order of the samples',
  },
  DATASET_FILE_KIND: {
    kind: 'input',
    message: '{path} {reason}',
    hint: 'raw files hold little-endian elements and nothing else; docs/dataset.md lists what is read',
  },
  DATASET_MISMATCH: {
    kind: 'input',
    message: 'dataset {dataset} does not fit the model: {reason}',
    hint: '`atoll inspect` prints the inputs of the model; describe the same shapes in the dataset file',
  },
  DATASET_NO_METRIC: {
    kind: 'usage',
    message: 'dataset {dataset} cannot be evaluated: {reason}',
    hint: 'give labels or targets and a metric in the dataset file',
  },
  // Quantization
  CALIBRATION_EMPTY: {
    kind: 'input',
    message: 'no calibration samples: {reason}',
    hint: 'give 100 to 500 samples as the device will see them with --calibrate DATASET',
  },
  CALIBRATION_MISMATCH: {
    kind: 'input',
    message: 'the calibration statistics do not serve: {reason}',
    hint: 'make them again with --calibrate DATASET --save-statistics FILE',
  },
  QUANTIZE_NOT_FLOAT: {
    kind: 'input',
    message: '{where} is not a float model: {reason}',
    hint: 'quantize the float32 .tflite that the converter writes without optimizations',
  },
  QUANTIZE_OPERATORS: {
    kind: 'input',
    message: 'no {type} form is known for {count} operator(s): {operators}',
    hint: 'replace these operators in the model, cut it before them, or leave them in float with a --scheme that ends in -float-fallback',
  },
  QUANTIZE_RANGE: {
    kind: 'input',
    message: 'tensor {tensor} has no usable range: {reason}',
    hint: 'check the calibration data and the weights for NaN, infinite and constant values',
  },
  QUANTIZE_OVERFLOW: {
    kind: 'input',
    message: 'channel {channel} of tensor {tensor} would overflow its 32-bit accumulator',
    hint: 'the weights or bias of this channel are far larger than the others: retrain or clip them',
  },
  MODEL_NOT_INT8: {
    kind: 'input',
    message: 'the model is not {scheme} throughout: {reason}',
    hint: 'quantize the float model with `atoll quantize`; deploy takes float models or int8-only ones',
  },
  COMPARE_NOTHING: {
    kind: 'input',
    message: 'the two models cannot be compared: {reason}',
    hint: 'give the float model first and then the file that was made from it; converters keep the names of tensors, editors may not',
  },
  QUANTIZE_VERIFY: {
    kind: 'internal',
    message: 'the quantized model failed its own check: {reason}; nothing was written',
    hint: 'this is a bug: please report it with the model',
  },
  // Targets
  TARGET_UNKNOWN: {
    kind: 'usage',
    message: 'no target named {target}{nearest}',
    hint: '`atoll targets` lists them; a path to a .yaml file works too',
  },
  TARGET_INVALID: { kind: 'input', message: '{where}: {reason}', hint: 'docs/targets.md describes the target file' },
  EDGETPU_PACKAGE_INVALID: {
    kind: 'input',
    message: 'not a valid Edge TPU package: {reason}, in {where}',
    hint: 'compile the model again; the file is damaged, or made by a compiler newer than atoll-agent knows',
  },
  EDGETPU_RUNTIME: {
    kind: 'refused',
    message: 'the model needs runtime version {needed} of libedgetpu; {device} has {runtime}',
    hint: 'update libedgetpu on the device, or compile with --min-runtime {runtime}',
  },
  EDGETPU_UNCOMPILED: {
    kind: 'refused',
    message: '{where} is not compiled for the Edge TPU, and {device} runs nothing else',
    hint: 'compile it: `atoll compile MODEL`; what the compiler will map, `atoll check MODEL --target coral-usb` says',
  },
  STATE_INVALID: {
    kind: 'input',
    message: '{path} holds no state of a device: {reason}',
    hint: 'name another folder with --state, or remove this one: the device then begins without a model',
  },
  STATE_BUSY: {
    kind: 'input',
    message: 'process {pid} keeps its models in {path}',
    hint: 'name another folder with --state, or end that process; where it is none of ours, remove {lock}',
  },
  EDGETPU_TWIN: {
    kind: 'input',
    message: 'the two models do not belong together: {reason}',
    hint: 'name the .tflite file that was given to edgetpu_compiler, and the _edgetpu.tflite that it made of it',
  },
  EDGETPU_TWIN_MISSING: {
    kind: 'input',
    message: 'an emulated accelerator computes with the model that {where} was compiled from, and that is not known',
    hint: 'put it beside as {beside}, or name it: --uncompiled FILE',
  },
  EDGETPU_EXECUTABLE: {
    kind: 'input',
    message: '{where} holds a program that this driver cannot run: {reason}',
    hint: 'compile the model again with edgetpu_compiler 16, for one Edge TPU and without batches',
  },
  EDGETPU_FIRMWARE_MISSING: {
    kind: 'device',
    message: '{device} waits for its firmware, and there is none on this machine{looked}',
    hint: "install Google's libedgetpu1-std, which holds it, or name the file: ATOLL_EDGETPU_FIRMWARE=apex_latest_single_ep.bin (google-coral/libedgetpu, driver/usb)",
  },
  EDGETPU_FIRMWARE_INVALID: {
    kind: 'input',
    message: '{path} holds no firmware of the accelerator: {reason}',
    hint: 'name apex_latest_single_ep.bin (google-coral/libedgetpu, driver/usb), or a libedgetpu.so.1 that was made from it',
  },
  EDGETPU_START: {
    kind: 'device',
    message: '{device} does not start: {reason}',
    hint: 'pull its plug, wait a moment, and plug it in again, into a port of the machine itself if it is at a hub',
  },
  EDGETPU_TRANSFER: {
    kind: 'device',
    message: '{device}: {what} failed: {reason}',
    hint: 'try again; where it comes back, plug the accelerator in again, and look at its cable and hub: it draws up to 900 mA',
  },
  EDGETPU_SILENT: {
    kind: 'device',
    message: '{device} did not answer within {ms} ms: {what}',
    hint: 'plug the accelerator in again; where only one model does that, compile it again',
  },
  EDGETPU_ANSWER: {
    kind: 'device',
    message: '{device} answered what it should not: {what}: {reason}',
    hint: 'plug the accelerator in again; if it stays so, run scripts/check-accelerator.js and report what it says',
  },
  EDGETPU_FATAL: {
    kind: 'device',
    message: '{device} reports a fatal error: {reason}',
    hint: 'plug the accelerator in again; if a model brings that about each time, compile it again',
  },
  EDGETPU_COMPILER_MISSING: {
    kind: 'usage',
    message: 'no edgetpu_compiler that can be run at {path}',
    hint: 'give the path of the program with --compiler, or put it on PATH',
  },
  EDGETPU_COMPILER_FAILED: {
    kind: 'input',
    message: '{path} did not do its work: {reason}',
    hint: 'it runs on x86-64 Linux only; --timeout gives it more time, --compiler names another program',
  },
  EDGETPU_COMPILE: {
    kind: 'refused',
    message: 'edgetpu_compiler refused {file}: {reason}',
    hint: '--bisect finds the operator at which it fails; `atoll check --target coral-usb` says what it should map',
  },
  MODEL_COMPILED: {
    kind: 'input',
    message: '{where} is compiled for {accelerator} already: {reason}',
    hint: 'give the .tflite file that it was compiled from (an Edge TPU runs files of edgetpu_compiler: --device usb:coral-usb); `atoll inspect` shows what a compiled one holds',
  },
  MEASUREMENT_INVALID: {
    kind: 'input',
    message: 'not a measurement: {reason}, in {where}',
    hint: 'write it with `atoll run MODEL --input FILE --device URI --json > FILE`, or evaluate',
  },
  RESOLVER_OPERATORS: {
    kind: 'input',
    message: 'TFLite Micro has no {count} operator(s) of this model: {operators}',
    hint: 'replace these operators in the model, or register them by hand with AddCustom',
  },
  MODEL_DOES_NOT_FIT: {
    kind: 'refused',
    message: 'the model does not fit {target}: {reasons}',
    hint: '`atoll check` shows the details and what would help',
  },
  // Slot images
  KEY_INVALID: {
    kind: 'input',
    message: '{path} is no key that signs bundles: {reason}',
    hint: '`atoll keys create NAME` makes a pair of PEM files; keys are Ed25519, or ECDSA on P-256',
  },
  SLOT_IMAGE_INVALID: {
    kind: 'input',
    message: 'not a valid slot image: {reason}',
    hint: 'write it again from the model; firmware-protocol/README.md describes the format',
  },
  COMPRESSED_IMAGE_INVALID: {
    kind: 'input',
    message: 'not a valid compressed image: {reason}',
    hint: 'compress the image again; firmware-protocol/README.md describes the format',
  },
  // Protocol and devices
  SMP_MALFORMED: {
    kind: 'device',
    message: 'malformed SMP packet: {reason}',
    hint: 'the device speaks another protocol, or the link corrupts data',
  },
  CBOR_MALFORMED: {
    kind: 'device',
    message: 'malformed CBOR in {where}: {reason}',
    hint: 'the device speaks another protocol version, or the link corrupts data',
  },
  DEVICE_ERROR: {
    kind: 'device',
    message: 'the device refused {command}: {name} (group {group}, rc {rc}){detail}',
    hint: '{advice}',
  },
  DEVICE_TIMEOUT: {
    kind: 'device',
    message: 'no answer to {command} within {timeoutMs} ms, in {attempts} attempt(s){seen}',
    hint: '{advice}',
  },
  DEVICE_CLOSED: {
    kind: 'device',
    message: 'the connection to {device} has ended: {reason}',
    hint: 'check cable and power, and start it again: an upload goes on where it was',
  },
  DEVICE_UNKNOWN: {
    kind: 'usage',
    message: 'cannot open device {device}: {reason}',
    hint: 'write sim:TARGET, serial:PATH, usb:VID:PID, tcp:HOST:PORT or udp:HOST; `atoll devices` lists what is attached',
  },
  DEVICE_UNREACHABLE: {
    kind: 'device',
    message: 'cannot reach {device}: {reason}',
    hint: 'check that the device is on and that its address is right',
  },
  SERIAL_NOT_FOUND: {
    kind: 'device',
    message: 'there is no serial port {path}',
    hint: '`atoll devices` lists the ports of this machine',
  },
  SERIAL_PERMISSION: {
    kind: 'device',
    message: 'no permission to open the serial port {path}',
    hint: '`atoll doctor` says which group owns it and prints a udev rule',
  },
  SERIAL_BUSY: {
    kind: 'device',
    message: 'the serial port {path} is in use',
    hint: 'end the other program that has it open: a serial monitor, ModemManager, another atoll',
  },
  SERIAL_LIST: {
    kind: 'device',
    message: 'cannot list the serial ports: {reason}',
    hint: 'name the port: serial:/dev/ttyACM0',
  },
  SERIAL_CHOICE: {
    kind: 'usage',
    message: '{count} serial ports fit {what}{ports}',
    hint: 'name one: serial:PATH; `atoll devices` lists them',
  },
  USB_UNAVAILABLE: {
    kind: 'device',
    message: 'USB cannot be used: {reason}',
    hint: 'on Debian, install libusb-1.0-0 and udev; `atoll doctor` looks at it',
  },
  USB_CHOICE: {
    kind: 'device',
    message: '{count} USB devices fit {what}{serials}',
    hint: 'plug one in, or name one: usb:VID:PID/SERIAL; those without serial numbers are told apart by attaching one at a time; `atoll devices` lists them',
  },
  USB_NO_INTERFACE: {
    kind: 'device',
    message: '{device} has no vendor-specific interface with two bulk endpoints',
    hint: 'its firmware does not speak SMP over USB; try its serial port',
  },
  USB_PERMISSION: {
    kind: 'device',
    message: 'no permission to open {device}',
    hint: '`atoll doctor` prints a udev rule for it',
  },
  USB_BUSY: {
    kind: 'device',
    message: '{device} is in use by another program',
    hint: 'end the other program that has it open',
  },
  LISTEN: {
    kind: 'device',
    message: 'cannot listen on {address}: {reason}',
    hint: 'use pty, tcp:PORT or udp:PORT; port 0 takes a free one',
  },
  DEVICE_PROTOCOL: {
    kind: 'device',
    message: '{device} speaks version {proto} of the protocol; this program knows {known}',
    hint: 'update atoll-agent, or the firmware of the device',
  },
  DEVICE_FILES_ONLY: {
    kind: 'device',
    message: '{device} answers, but does not know the commands that run models',
    hint: 'flash firmware that implements firmware-protocol/, or only store the file with `atoll push --path /lfs/model.tflite`',
  },
  DEVICE_ANSWER: {
    kind: 'device',
    message: 'unexpected answer to {command}: {reason}',
    hint: 'device firmware and atoll-agent disagree about the protocol: compare their versions',
  },
  DEVICE_OTHER_MODEL: {
    kind: 'device',
    message: 'the device runs model {actual}, not {expected}',
    hint: 'push the model first: `atoll push MODEL --device {device}`',
  },
  BROKER_ADDRESS: {
    kind: 'usage',
    message: '{uri}: {reason}',
    hint: 'write it as mqtt://[USER[:PASSWORD]@]HOST[:PORT]/FLEET/DEVICE, mqtts: for TLS; docs/fleets.md has all of it',
  },
  BROKER_UNREACHABLE: {
    kind: 'device',
    message: 'no connection to the broker {broker}: {reason}',
    hint: 'see that it runs and listens there; `atoll broker` starts one',
  },
  BROKER_REFUSED: {
    kind: 'device',
    message: 'the broker {broker} refuses: {reason}',
    hint: 'check what the broker allows this user: user name and password (in the address, or in ATOLL_MQTT_USERNAME and ATOLL_MQTT_PASSWORD) or certificate, client id, and its access list; its log says more',
  },
  BROKER_QUOTA: {
    kind: 'device',
    message: 'the broker {broker} limits this client: {reason}',
    hint: 'wait and run it again; lower `concurrency` and `bandwidth` in the plan, or raise the limit at the broker',
  },
  BROKER_LIMIT: {
    kind: 'device',
    message: 'the broker {broker} cannot carry a fleet: {reason}',
    hint: 'docs/fleets.md says what a broker must be able to do, and which ones were tried',
  },
  BROKER_TLS: {
    kind: 'device',
    message: 'no secure connection to the broker {broker}: {reason}',
    hint: 'name the certificate of the authority that signed its certificate with ?ca=FILE, and your own certificate with cert=FILE and key=FILE where the broker asks for one; use mqtts: for TLS and mqtt: without',
  },
  ROLLOUT_PLAN: { kind: 'input', message: '{where}: {reason}', hint: 'docs/fleets.md says what a rollout plan holds' },
  ROLLOUT_EXISTS: {
    kind: 'usage',
    message: 'rollout {rollout} of {fleet} is there already, with another bundle ({bundle}...)',
    hint: 'give the new rollout a name of its own: devices and reports know it by that',
  },
  ROLLOUT_UNKNOWN: {
    kind: 'usage',
    message: 'no rollout {rollout} is known in {store}; there are {known}',
    hint: '`atoll rollout list` lists them; name the store with --store or ATOLL_STORE if it is another',
  },
  ROLLOUT_NOT_NOW: {
    kind: 'refused',
    message: 'rollout {rollout}: {reason}',
    hint: '`atoll rollout status` shows where it is',
  },
  ROLLOUT_LEASE: {
    kind: 'device',
    message: 'another agent has taken over rollout {rollout}',
    hint: 'it goes on there; `atoll rollout status` shows how',
  },
  STORE: {
    kind: 'device',
    message: 'the store {store}: {reason}',
    hint: 'name a file, or a PostgreSQL database as postgres://USER:PASSWORD@HOST/DATABASE, with --store or ATOLL_STORE',
  },
  FLEET_DEVICE: {
    kind: 'refused',
    message: '{device} of fleet {fleet}: {reason}',
    hint: '`atoll devices mqtt://BROKER/FLEET` lists the devices',
  },
  STORE_AWAY: {
    kind: 'device',
    message: 'no connection to the store {store}: {reason}',
    hint: 'see that the database runs and listens there; what was committed is kept, and the rollout goes on when it is started again',
  },
  FLASH_NO_WAY: {
    kind: 'device',
    message: 'nothing here reaches the flash of {target}: {list}',
    hint: 'put the board into its bootloader, attach its probe, or install one of these programs; `atoll doctor` shows what this machine has',
  },
  FLASH_OUTSIDE: {
    kind: 'refused',
    message: '{device}: {reason}',
    hint: "nothing was written; the model's part of the flash lies behind the firmware (`flash` in the target file)",
  },
  FLASH_PROGRAM: {
    kind: 'device',
    message: '{program} did not write the model: {reason}',
    hint: '{way}; it was called as: {command}',
  },
  FLASH_VERIFY: {
    kind: 'device',
    message: '{device}: byte {offset} of the model reads back as {actual} instead of {expected}',
    hint: 'flash again; if it happens again, the flash is worn out or protected',
  },
  DFU_REFUSED: {
    kind: 'device',
    message: '{device} refused {what}: {status}',
    hint: 'reset the board into its bootloader and flash again; a protected flash must be unlocked first',
  },
  DFU_DEVICE: {
    kind: 'device',
    message: '{device}: {reason}',
    hint: 'reset the board into its bootloader; `dfu-util --list` should show it too',
  },
  UF2_DRIVE: {
    kind: 'device',
    message: '{count} UF2 drives are mounted{list}',
    hint: 'put the board into its bootloader (BOOTSEL, or reset twice) and mount its drive, or name the folder with --drive',
  },
  UF2_COPY: {
    kind: 'device',
    message: 'only {done} of {total} bytes could be written to {path}: {reason}',
    hint: 'put the board into its bootloader again, and start again',
  },
  DEVICE_TARGET: {
    kind: 'refused',
    message: '{device} is a {told}, not a {target}',
    hint: 'leave --target out, or name the file whose id is that of the device',
  },
  PUSH_REFUSED: {
    kind: 'refused',
    message: '{device} cannot take this image: {reasons}',
    hint: 'nothing was sent; `atoll check` shows what the model needs, `atoll devices` what the device has',
  },
  PUSH_HASH: {
    kind: 'device',
    message: 'the device stored other bytes than were sent: {actual} instead of {expected}',
    hint: 'push again; if it happens again, its volume is full, or its flash or the link is faulty',
  },
  PUSH_UNPROVEN: {
    kind: 'device',
    message: 'whether {path} was stored right cannot be proved: {reason}',
    hint: 'enable the hash command in its firmware (Zephyr: CONFIG_MCUMGR_GRP_FS_CHECKSUM_HASH), or let it read files',
  },
  PUSH_SELF_TEST: {
    kind: 'refused',
    message: 'the device does not compute what the simulator computes: {reason}',
    hint: 'the old model stays active; compare the kernel profile of the target with the firmware of the device',
  },
  // Deploy
  PROJECT_INVALID: {
    kind: 'input',
    message: '{where}: {reason}',
    hint: 'atoll.yaml names model, calibration and evaluation data, relative to itself',
  },
  // The command line
  USAGE: { kind: 'usage', message: '{reason}', hint: 'see `atoll --help`' },
  INTERRUPTED: {
    kind: 'interrupted',
    message: 'interrupted',
    hint: 'files here are whole or as they were; an upload goes on where it was: start it again',
  },
  INTERNAL: {
    kind: 'internal',
    message: 'internal error: {reason}',
    hint: 'please report this, with the output of the same command and --debug',
  },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof errorTable;

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
type Texts<C extends ErrorCode> = (typeof errorTable)[C]['message'] | (typeof errorTable)[C]['hint'];
/** The values that the texts of a code need. */
export type ErrorValues<C extends ErrorCode> = { readonly [K in Placeholders<Texts<C>>]: string | number };

/** An error from the table. `where` names the file, tensor, operator or device if the message has one. */
export class AtollError extends Error {
  override readonly name = 'AtollError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly values: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, values: Readonly<Record<string, string | number>>, cause?: unknown) {
    const entry: Entry = errorTable[code];
    super(fill(entry.message, values), cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = fill(entry.hint, values);
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

function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, key: string) => {
    const value = values[key];
    return value === undefined ? whole : String(value);
  });
}
