// Checks this machine: Node, the serial and USB libraries, permissions, and the programs that some verbs call.

import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { reasonOf } from '../base/errors.js';
import { findOnPath } from '../base/programs/index.js';
import { findFirmware, firmwareVariable } from '../devices/accelerator/index.js';
import { flashProgramNames } from '../devices/flashing/index.js';
import { serialPorts } from '../devices/transport/index.js';
import { loadShippedTargets, type Target, usbHex, usbIdsOf } from '../targets/index.js';

export interface DoctorCheck {
  readonly what: string;
  /** `warning` if only some verbs are affected. */
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  /** What to do; null if nothing is wrong. */
  readonly hint: string | null;
}

export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
  /** For /etc/udev/rules.d: lets every user of the machine access the boards that the target files name. */
  readonly udevRules: string;
}

const oldestNode = [20, 19] as const;

/** External programs, with the verbs that call them. */
const tools: readonly (readonly [name: string, purpose: string])[] = [
  ['socat', 'atoll simulate-device --listen pty'],
  ['edgetpu_compiler', 'atoll compile'],
  ['qemu-system-arm', 'running the firmware of firmware-protocol/ without a board'],
  ...flashProgramNames.map((name) => [name, `atoll flash --method ${name}`] as const),
];

export async function doctor(environment: NodeJS.ProcessEnv = process.env): Promise<DoctorReport> {
  const targets = await loadShippedTargets();
  const checks = [
    nodeCheck(),
    ...(await serialChecks()),
    await usbCheck(),
    await firmwareCheck(),
    ...(await Promise.all(tools.map((tool) => toolCheck(tool, environment)))),
  ];
  return { checks, udevRules: udevRules(targets) };
}

function nodeCheck(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const old = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  return {
    what: 'Node',
    state: old ? 'failed' : 'ok',
    detail: process.version,
    hint: old ? `install Node ${oldestNode.join('.')} or newer` : null,
  };
}

async function serialChecks(): Promise<DoctorCheck[]> {
  try {
    const ports = await serialPorts();
    const list = {
      what: 'serial ports',
      state: 'ok' as const,
      detail: ports.length === 0 ? 'none attached' : `${ports.length} attached`,
      hint: null,
    };
    return [list, ...(await Promise.all(ports.map((port) => portCheck(port.path))))];
  } catch (error) {
    return [
      {
        what: 'serial ports',
        state: 'warning',
        detail: reasonOf(error),
        hint: 'name ports by their path; on Debian, install udev to list them',
      },
    ];
  }
}

async function portCheck(port: string): Promise<DoctorCheck> {
  try {
    await access(port, constants.R_OK | constants.W_OK);
    return { what: port, state: 'ok', detail: 'can be opened', hint: null };
  } catch (error) {
    const owner = await stat(port).then(
      async ({ gid }) => `it belongs to group ${await groupName(gid)}`,
      () => 'it does not exist',
    );
    const hint =
      'add yourself to that group (often: sudo usermod -aG dialout $USER, then log in again), or install the ' +
      'udev rule below';
    return { what: port, state: 'failed', detail: `${reasonOf(error)}; ${owner}`, hint };
  }
}

async function groupName(gid: number): Promise<string> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  return (
    groups
      .split('\n')
      .map((line) => line.split(':'))
      .find(([, , id]) => id === String(gid))?.[0] ?? String(gid)
  );
}

async function usbCheck(): Promise<DoctorCheck> {
  try {
    const { getDeviceList } = await import('usb');
    return { what: 'USB', state: 'ok', detail: `${getDeviceList().length} device(s)`, hint: null };
  } catch (error) {
    return {
      what: 'USB',
      state: 'warning',
      detail: reasonOf(error),
      hint: 'usb: devices cannot be reached; on Debian, install libusb-1.0-0 and udev',
    };
  }
}

/** For Coral accelerators. */
async function firmwareCheck(): Promise<DoctorCheck> {
  const what = 'Edge TPU firmware';
  const missing = (detail: string): DoctorCheck => ({
    what,
    state: 'warning',
    detail,
    hint:
      'only needed for Coral accelerators: install libedgetpu1-std, or name apex_latest_single_ep.bin in ' +
      `${firmwareVariable}`,
  });
  return findFirmware().then(
    (found) => (found === null ? missing('not found') : { what, state: 'ok', detail: found.path, hint: null }),
    (error: unknown) => missing(reasonOf(error)),
  );
}

async function toolCheck(
  [name, purpose]: (typeof tools)[number],
  environment: NodeJS.ProcessEnv,
): Promise<DoctorCheck> {
  const found = await findOnPath(name, environment);
  if (found !== null) return { what: name, state: 'ok', detail: found, hint: null };
  return { what: name, state: 'warning', detail: 'not on PATH', hint: `only needed for ${purpose}` };
}

/** One line for each USB id of the target files. */
export function udevRules(targets: readonly Target[]): string {
  const named = new Map<string, string[]>();
  for (const target of targets) {
    for (const { vendor, product, state } of usbIdsOf(target)) {
      const match = `ATTRS{idVendor}=="${usbHex(vendor)}", ATTRS{idProduct}=="${usbHex(product)}"`;
      named.set(match, [...(named.get(match) ?? []), `${target.id} (${state})`]);
    }
  }
  return [...named]
    .map(([match, names]) => `# ${names.join(', ')}\nSUBSYSTEMS=="usb", ${match}, MODE="0666", TAG+="uaccess"`)
    .join('\n');
}
