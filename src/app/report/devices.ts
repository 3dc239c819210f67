// Reports of `devices` and `doctor`.

import type { ListedDevice } from '../../devices/list-devices.js';
import type { DoctorReport } from '../doctor.js';
import { table } from './text.js';

export function devicesReport(devices: readonly ListedDevice[]): string {
  if (devices.length === 0)
    return 'no attached board was found; sim:TARGET is a simulated device (`atoll targets` lists the targets)';
  const rows = devices.map(({ uri, serialNumber, targets, answer, error }) => [
    uri,
    targets.map(({ id, state }) => `${id} (${state})`).join(', ') || '-',
    serialNumber ?? '-',
    answer === null
      ? (error ?? 'not asked')
      : `${answer.id}: ${answer.target}, ${answer.runtime}, firmware ${answer.fw}`,
  ]);
  return table(rows, ['device', 'looks like', 'serial number', 'says']);
}

const marks = { ok: 'ok', warning: '--', failed: 'NO' } as const;

export function doctorReport({ checks, udevRules }: DoctorReport): string {
  const rows = checks.map(({ what, state, detail, hint }) => [
    marks[state],
    what,
    hint === null ? detail : `${detail}: ${hint}`,
  ]);
  const rules =
    'To give every user of this machine access to the boards, write these lines to ' +
    '/etc/udev/rules.d/70-atoll.rules as root, then run udevadm control --reload';
  return `${table(rows)}\n\n${rules}\n${udevRules}`;
}
