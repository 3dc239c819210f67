// What to do about an error: one text per code, in the terms of the command line.

import { defined } from '../../base/checked.js';
import { type AtollError, type ErrorCode, fillTemplate } from '../../base/errors.js';
import { flashHints, silenceHints, statusHints } from './device-hints.js';

type Values = AtollError['values'];

/** The hint for an error. */
export function hintFor({ code, values }: Pick<AtollError, 'code' | 'values'>): string {
  const hint: string | ((values: Values) => string) = hints[code];
  return typeof hint === 'string' ? fillTemplate(hint, values) : hint(values);
}

/** By kind of a model that cannot be read: how its own tool exports one that can. */
const exportHints: Readonly<Record<string, string>> = {
  pytorch:
    'load it in PyTorch and write a .tflite file with the package litert-torch: ' +
    'litert_torch.convert(model.eval(), (sample,)).export("model.tflite")',
  'pytorch-exported':
    'load it with torch.export.load and write a .tflite file with the package litert-torch: ' +
    'litert_torch.convert(program.module(), (sample,)).export("model.tflite")',
  pickle: 'load it in the program that wrote it, and save it as a Keras model or a .tflite file',
  safetensors: 'load the model in the program that it belongs to, and export a .tflite file (PyTorch: litert-torch)',
  'keras-weights': 'build the model in Keras, load the weights, and save all of it: model.save("model.keras")',
  'keras-subclassed':
    'build it with keras.Model(inputs, outputs), which holds the structure, and save it: model.save("model.keras")',
  coreml: 'convert the model that it was made from',
  'tfjs-graph': 'save the model from Keras instead: model.save("model.keras")',
  json: 'pass the model.json of a layers model, with its weights beside it',
  gguf: 'language models of this size do not fit microcontrollers',
};

/** By code; {placeholders} are values of the error. */
export const hints: Readonly<Record<ErrorCode, string | ((values: Values) => string)>> = {
  FILE_NOT_READABLE: 'check the path and its permissions',
  FILE_NOT_WRITABLE: 'choose a folder that exists and can be written to',
  TFLITE_NOT_A_MODEL: 'pass a .tflite file (identifier TFL3), or a model of a format in docs/formats.md',
  TFLITE_DAMAGED: 'the file is truncated or corrupt: copy it again and compare its SHA-256 with the original',
  TFLITE_INVALID: 'the file is well-formed but inconsistent: convert or export the model again',
  TFLITE_UNKNOWN_FIELD: 'update atoll-agent, or export the model with an older converter',
  TFLITE_TOO_LARGE: 'reduce the model first (quantize or prune it)',
  SOURCE_INVALID: 'the file is damaged, or was written by a version that is not known: save the model again',
  SOURCE_UNSUPPORTED: ({ kind }) => exportHints[String(kind)] ?? 'save it as a Keras model or a .tflite file',
  CONVERT_UNSUPPORTED:
    'docs/formats.md lists what is converted; replace the layers, or cut the model before them: ' +
    '`atoll convert --stop-before {first}`',
  CONVERT_LAYER:
    'docs/formats.md lists what is converted; change the layer, or cut the model: ' +
    '`atoll convert --stop-before {layer}`',
  CONVERT_NO_LAYER: '`atoll inspect` lists the layers of the model',
  CONVERT_INPUT_SHAPE: 'give its size, for example --shape {input}=1,96,96,3',
  CONVERT_DIFFERS: 'please report it with the model, or a small one with the same layer',
  SIGNATURE_UNKNOWN: '`atoll inspect` lists the signatures',
  OPERATORS_UNSUPPORTED:
    'docs/operators.md lists the supported operators; replace the others, or cut the model before them',
  RUN_TIMEOUT: 'the model may contain an endless loop; `atoll inspect` shows its subgraphs',
  GATE_FAILED: 'improve the model (`atoll advise`, `atoll compare`), raise the limit, or accept it with --force',
  STREAM_UNSUPPORTED:
    'run without --threads; a device needs firmware with the feature `stream` (firmware-protocol/README.md)',
  RUNTIME_REFUSES: 'quantize the float model again, or choose a kernel profile whose runtime accepts it',
  KERNEL_ENDS:
    'the kernel on the device fails on this data too: change the data, or use other kernels (--kernels ' +
    'tflite-optimized, or another target)',
  TENSOR_SHAPE_DYNAMIC:
    'give the inputs fixed shapes with --shape NAME=1,96,96,3 (`atoll inspect` lists them), or export the model with ' +
    'fixed shapes',
  OPERATOR_INVALID:
    'the model violates the rules of this operator: export it again, and report the file if another runtime accepts ' +
    'it',
  TENSOR_TOO_LARGE:
    'use a smaller input shape (--shape), or raise the limit: ATOLL_MAX_TENSOR_MIB=2047 (default: a quarter of the ' +
    'memory)',
  OUTPUT_NOT_A_NUMBER: 'check the weights and the data for NaN and infinite values',
  INPUT_UNKNOWN: '`atoll inspect` lists the inputs',
  INPUT_SIZE: "pass raw little-endian tensors in the model's types; `atoll inspect` lists the inputs",
  DATASET_INVALID: 'docs/dataset.md describes the dataset file',
  DATASET_NO_FILES: 'paths in a dataset file are relative to that file; check the pattern, and that the data exists',
  DATASET_FILE_SIZE: 'correct shape or type in the dataset file, or the data file',
  DATASET_ARRAY_INVALID: 'save it again with numpy.save or numpy.savez (C order, numeric type)',
  DATASET_IMAGE_INVALID: 'remove the file from the dataset or replace it',
  DATASET_LABELS: 'provide one label per sample, in the order of the samples',
  DATASET_FILE_KIND: 'raw files contain little-endian elements only; docs/dataset.md lists the supported formats',
  DATASET_MISMATCH: '`atoll inspect` lists the inputs of the model; describe the same shapes in the dataset file',
  DATASET_NO_METRIC: 'add labels or targets and a metric to the dataset file',
  CALIBRATION_EMPTY: 'provide 100 to 500 samples of what the device will see, with --calibrate DATASET',
  CALIBRATION_MISMATCH: 'create them again with --calibrate DATASET --save-statistics FILE',
  QUANTIZE_NOT_FLOAT: 'quantize the float32 .tflite file that the converter writes without optimizations',
  QUANTIZE_OPERATORS:
    'replace these operators, cut the model before them, or keep them in float with a --scheme that ends in ' +
    '-float-fallback',
  QUANTIZE_RANGE: 'check the calibration data and the weights for NaN, infinite and constant values',
  QUANTIZE_OVERFLOW: 'the weights or bias of this channel are far larger than the others: retrain or clip them',
  MODEL_NOT_INT8: 'quantize the float model with `atoll quantize`; deploy accepts float models and int8-only models',
  COMPARE_NOTHING:
    'pass the float model first, then the file made from it; converters keep the names of tensors, editors may not',
  QUANTIZE_VERIFY: 'this is a bug: please report it with the model',
  TARGET_UNKNOWN: '`atoll targets` lists them; a path to a .yaml file works too',
  TARGET_INVALID: 'docs/targets.md describes the target file',
  EDGETPU_PACKAGE_INVALID:
    'compile the model again: the file is damaged, or its compiler is newer than this version of atoll-agent',
  EDGETPU_RUNTIME: 'update libedgetpu on the device, or compile with --min-runtime {runtime}',
  EDGETPU_UNCOMPILED:
    'compile it with `atoll compile MODEL`; `atoll check MODEL --target coral-usb` predicts which operators are ' +
    'mapped',
  STATE_INVALID: 'choose another folder with --state, or remove this one: the device then starts without a model',
  STATE_BUSY: 'choose another folder with --state, or end that process; if it is not an atoll process, remove {lock}',
  EDGETPU_TWIN: 'pass the .tflite file that edgetpu_compiler read, and the _edgetpu.tflite file that it wrote',
  EDGETPU_TWIN_MISSING: 'save it as {beside}, or name it: --uncompiled FILE',
  EDGETPU_EXECUTABLE: 'compile the model again with edgetpu_compiler 16, for one Edge TPU and without batches',
  EDGETPU_FIRMWARE_MISSING:
    "install Google's libedgetpu1-std, which contains it, or name the file: " +
    'ATOLL_EDGETPU_FIRMWARE=apex_latest_single_ep.bin (google-coral/libedgetpu, driver/usb)',
  EDGETPU_FIRMWARE_INVALID:
    'name apex_latest_single_ep.bin (google-coral/libedgetpu, driver/usb), or a libedgetpu.so.1 that contains it',
  EDGETPU_START: 'unplug it, wait a moment, and plug it in again, directly into the machine if it is on a hub',
  EDGETPU_TRANSFER:
    'try again; if it fails again, unplug the accelerator and plug it in again, and check cable and hub: it draws up ' +
    'to 900 mA',
  EDGETPU_SILENT:
    'unplug the accelerator and plug it in again; if only one model causes this, compile that model again',
  EDGETPU_ANSWER:
    'unplug the accelerator and plug it in again; if it happens again, run scripts/check-accelerator.js and report ' +
    'its output',
  EDGETPU_FATAL: 'unplug the accelerator and plug it in again; if one model causes this each time, compile it again',
  EDGETPU_COMPILER_MISSING: 'give the path of the program with --compiler, or add it to PATH',
  EDGETPU_COMPILER_FAILED:
    'it runs on x86-64 Linux only; --timeout gives it more time, --compiler selects another program',
  EDGETPU_COMPILE:
    '--bisect finds the operator that fails; `atoll check --target coral-usb` predicts what it should map',
  MODEL_COMPILED:
    'pass the .tflite file that it was compiled from (an Edge TPU runs compiled files: --device usb:coral-usb); ' +
    '`atoll inspect` shows the content of a compiled file',
  MEASUREMENT_INVALID:
    'create it with `atoll run MODEL --input FILE --device URI --json > FILE`, or with `atoll evaluate`',
  RESOLVER_OPERATORS: 'replace these operators, or register them yourself with AddCustom',
  MODEL_DOES_NOT_FIT: '`atoll check` shows details and suggestions',
  KEY_INVALID: '`atoll keys create NAME` creates a pair of PEM files; keys are Ed25519, or ECDSA on P-256',
  SLOT_IMAGE_INVALID: 'create it again from the model; firmware-protocol/README.md describes the format',
  COMPRESSED_IMAGE_INVALID: 'compress the image again; firmware-protocol/README.md describes the format',
  SMP_MALFORMED: 'the device speaks another protocol, or the link corrupts data',
  CBOR_MALFORMED: 'the device speaks another protocol version, or the link corrupts data',
  DEVICE_ERROR: ({ name }) => statusHints[String(name)] ?? 'see firmware-protocol/README.md for this code',
  DEVICE_TIMEOUT: ({ silence }) => causeHint(silenceHints, silence),
  DEVICE_CLOSED: 'check cable and power, then run the command again: an upload continues where it stopped',
  DEVICE_UNKNOWN:
    'write sim:TARGET, serial:PATH, usb:VID:PID, tcp:HOST:PORT or udp:HOST; `atoll devices` lists attached devices',
  DEVICE_UNREACHABLE: 'check that the device is on and that its address is right',
  SERIAL_NOT_FOUND: '`atoll devices` lists the ports of this machine',
  SERIAL_PERMISSION: '`atoll doctor` names the group that owns it and prints a udev rule',
  SERIAL_BUSY: 'close the program that uses it: a serial monitor, ModemManager, another atoll',
  SERIAL_LIST: 'name the port: serial:/dev/ttyACM0',
  SERIAL_CHOICE: 'name one: serial:PATH; `atoll devices` lists them',
  USB_UNAVAILABLE: 'on Debian, install libusb-1.0-0 and udev; `atoll doctor` checks it',
  USB_CHOICE:
    'plug one in, or name one: usb:VID:PID/SERIAL; if they have no serial numbers, attach one at a time; `atoll ' +
    'devices` lists them',
  USB_NO_INTERFACE: 'its firmware does not speak SMP over USB; try its serial port',
  USB_PERMISSION: '`atoll doctor` prints a udev rule for it',
  USB_BUSY: 'close the program that uses it',
  LISTEN: 'use pty, tcp:PORT or udp:PORT; port 0 selects any free port',
  DEVICE_PROTOCOL: 'update atoll-agent, or the firmware of the device',
  DEVICE_FILES_ONLY:
    'flash firmware that implements firmware-protocol/, or only store the file with `atoll push --path ' +
    '/lfs/model.tflite`',
  DEVICE_ANSWER: 'device firmware and atoll-agent disagree about the protocol: compare their versions',
  DEVICE_OTHER_MODEL: 'push the model first: `atoll push MODEL --device {device}`',
  BROKER_ADDRESS: 'write it as mqtt://[USER[:PASSWORD]@]HOST[:PORT]/FLEET/DEVICE, mqtts: for TLS; see docs/fleets.md',
  BROKER_UNREACHABLE: 'check that it runs and listens there; `atoll broker` starts one',
  BROKER_REFUSED:
    'check what the broker allows this user: user name and password (in the address, or in ATOLL_MQTT_USERNAME and ' +
    'ATOLL_MQTT_PASSWORD) or certificate, client id, and its access list; see its log',
  BROKER_QUOTA: 'wait and try again; lower `concurrency` and `bandwidth` in the plan, or raise the limit at the broker',
  BROKER_LIMIT: 'docs/fleets.md lists the requirements, and brokers that meet them',
  BROKER_TLS:
    'name the certificate of its authority with ?ca=FILE, and your own certificate with cert=FILE and key=FILE ' +
    'if the ' +
    'broker requires one; use mqtts: for TLS and mqtt: without',
  ROLLOUT_PLAN: 'docs/fleets.md describes rollout plans',
  ROLLOUT_EXISTS: 'give the new rollout another name: devices and reports refer to it by name',
  ROLLOUT_UNKNOWN: '`atoll rollout list` lists them; select another store with --store or ATOLL_STORE',
  ROLLOUT_NOT_NOW: '`atoll rollout status` shows its state',
  ROLLOUT_LEASE: 'it continues there; `atoll rollout status` shows its progress',
  STORE: 'name a file, or a PostgreSQL database as postgres://USER:PASSWORD@HOST/DATABASE, with --store or ATOLL_STORE',
  FLEET_DEVICE: '`atoll devices mqtt://BROKER/FLEET` lists the devices',
  STORE_AWAY:
    'check that the database runs and listens there; committed work is kept, and the rollout continues when it is ' +
    'started again',
  FLASH_NO_WAY:
    'put the board into its bootloader, attach its probe, or install one of these programs; `atoll doctor` ' +
    'shows what ' +
    'this machine has',
  FLASH_OUTSIDE:
    "nothing was written; the model's part of the flash is behind the firmware (`flash` in the target file)",
  FLASH_PROGRAM: ({ cause, command }) => `${causeHint(flashHints, cause)}; the command was: ${command}`,
  FLASH_VERIFY: 'flash again; if it happens again, the flash is worn out or protected',
  DFU_REFUSED: 'reset the board into its bootloader and flash again; a protected flash must be unlocked first',
  DFU_DEVICE: 'reset the board into its bootloader; `dfu-util --list` should show it too',
  UF2_DRIVE:
    'put the board into its bootloader (BOOTSEL, or reset twice) and mount its drive, or name the folder with --drive',
  UF2_COPY: 'put the board into its bootloader again, and try again',
  DEVICE_TARGET: 'omit --target, or name the target file with the id that the device reports',
  PUSH_REFUSED: 'nothing was sent; `atoll check` shows what the model needs, `atoll devices` what the device has',
  PUSH_HASH: 'push again; if it happens again, its volume is full, or its flash or the connection is faulty',
  PUSH_UNPROVEN:
    'enable the hash command in its firmware (Zephyr: CONFIG_MCUMGR_GRP_FS_CHECKSUM_HASH), or allow reading files',
  PUSH_SELF_TEST:
    'the old model stays active; compare the kernel profile of the target with the firmware of the device',
  PROJECT_INVALID: 'atoll.yaml names model, calibration and evaluation data, relative to itself',
  USAGE: 'see `atoll --help`',
  INTERRUPTED: 'files are complete or unchanged; an upload continues where it stopped: run the command again',
  INTERNAL: 'please report this, with the output of the same command and --debug',
};

function causeHint(table: Readonly<Record<string, string>>, cause: string | number | undefined): string {
  return defined(table[String(cause)]);
}
