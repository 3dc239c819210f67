import { Group, OsStatus, osCommands } from '../protocol/index.js';
import type { DeviceState } from './device-state.js';
import { type Handler, handler, readHandler } from './handlers.js';
import { StatusError } from './status-error.js';

/** The letters of `format` (Zephyr smp_group_0.rst), in the order of the response. */
const infoFields: Readonly<Record<string, (device: DeviceState) => string>> = {
  s: () => 'Atoll',
  n: ({ id }) => id,
  r: ({ engine }) => engine.firmware,
  v: () => 'unknown',
  b: () => 'unknown',
  m: ({ target }) => target.id,
  p: () => 'unknown',
  i: ({ target }) => target.id,
  o: () => 'Atoll',
};

function info(device: DeviceState, format: string): string {
  const asked = [...format];
  if (asked.some((letter) => letter !== 'a' && infoFields[letter] === undefined))
    throw new StatusError(Group.os, OsStatus.INVALID_FORMAT);
  const letters = Object.keys(infoFields).filter((letter) => asked.includes('a') || asked.includes(letter));
  return letters.map((letter) => infoFields[letter]?.(device)).join(' ');
}

export function osHandlers(device: DeviceState): Handler[] {
  return [
    readHandler(osCommands.echo, ({ d }) => ({ r: d })),
    readHandler(osCommands.echoRead, ({ d }) => ({ r: d })),
    handler(osCommands.reset, () => {
      device.resetSoon();
      return {};
    }),
    readHandler(osCommands.params, () => ({ buf_size: device.maxPacketBytes, buf_count: device.buffers })),
    readHandler(osCommands.info, ({ format = 's' }) => ({ output: info(device, format) })),
  ];
}
