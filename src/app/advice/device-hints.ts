// What to do about problems of devices, by their cause.

import type { SilenceCause } from '../../devices/client/index.js';
import type { FlashCause } from '../../devices/flashing/index.js';

/** By name of the SMP status that a device returned. */
export const statusHints: Readonly<Record<string, string>> = {
  ENOTSUP: 'the firmware of the device does not support this command: enable it there, or update it',
  EINVAL: 'the device rejects these values; a path may be longer than it allows (Zephyr: 64 characters)',
  ENOMEM: 'the device is out of memory: send smaller packets (--chunk), or reset it',
  EACCESSDENIED: 'the firmware of the device forbids it',
  INVALID_NAME: 'the device rejects this path: use /MOUNT/NAME, with the mount point of its file system',
  NOT_FOUND: 'there is no such file on the device',
  IS_DIRECTORY: 'the path is a folder of the device: name a file in it',
  MOUNT_POINT_NOT_FOUND: 'no file system is mounted there: use the mount point of the device (Zephyr samples: /lfs1)',
  READ_ONLY: 'its file system is read-only: use another mount point',
  WRITE_FAILED: 'its file system is probably full: delete files, or send a smaller one',
  OPEN_FAILED: 'the file is in use, or the file system is full',
  EBUSY: 'another client is using the device: try again when it has finished',
  EMSGSIZE: 'the packet was larger than the device accepts: update the firmware, so that it reports its limits',
  IMAGE_INVALID:
    'the image is damaged, or the device cannot run this model; an emulated accelerator runs only the models of ' +
    '--emulate',
  IMAGE_TOO_LARGE: 'use a smaller model, or a board with more flash',
  ARENA_TOO_SMALL: 'use a model with smaller activations, or a board with more RAM',
  OPERATOR_MISSING: 'build the firmware with these operators, or replace them in the model',
  WRONG_TARGET: 'build the slot image for the target of this device',
  SIGNATURE_REQUIRED: 'this device has a key: sign the bundle (`atoll bundle --sign KEY`)',
  SIGNATURE_INVALID: 'sign the bundle with a key that this device has',
  COUNTER_TOO_LOW: 'create the bundle with a counter that is not lower than that of the model on the device',
  NO_MODEL: 'push a model first: `atoll push MODEL --device URI`',
  SELF_TEST_FAILED: 'the old model stays active; compare kernel profile and firmware',
  HASH_MISMATCH: 'push the model again',
};

/** By the cause for which a device may not have answered. */
export const silenceHints: Readonly<Record<SilenceCause, string>> = {
  unknown: 'check cable, power and address; the device may be busy or in reset: try again',
  nothing:
    'check that this is its port, that it has power, and that its firmware serves SMP here; it may be busy or in ' +
    'reset: try again',
  echo:
    'TX and RX are connected to each other, or a shell echoes: connect the line to the device, or use the port of ' +
    'its SMP server',
  'boot-loader':
    'it is in its boot loader: reset it without the BOOT button; if opening the port resets it, add ?dtr=off&rts=off',
  unreadable: 'the baud rate is probably wrong (?baud=), or the framing (?framing=raw)',
  text:
    'its console works, but no SMP server answers there: use the port of its SMP server, or enable it on this one ' +
    '(Zephyr: CONFIG_MCUMGR_TRANSPORT_UART)',
};

/** By the cause for which a program did not write to flash. */
export const flashHints: Readonly<Record<FlashCause, string>> = {
  'port-busy': 'name the port of the board with --port, and close other programs that use it',
  'no-connection': 'hold the BOOT button while the board is reset, and try again',
  'other-chip': 'name the target of the attached chip with --target',
  'no-probe': "attach the board's debug probe, and install the udev rule of `atoll doctor` if it cannot be opened",
  'several-probes': 'name the probe as VID:PID:SERIAL with --serial; `probe-rs list` shows them',
  'no-scripts': 'install a version of OpenOCD that has these scripts',
  locked: 'unlock the flash of the board',
  'no-bootloader': 'press the reset button twice, so that the bootloader runs, and name its port with --port',
  'unsupported-chip': 'install the bossac of the Arduino tools: others do not support this chip',
  unknown: 'try the command by hand',
};
