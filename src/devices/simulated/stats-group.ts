import { SmpStatus, statsCommands } from '../protocol/index.js';
import type { DeviceState } from './device-state.js';
import { type Handler, readHandler } from './handlers.js';
import { StatusError } from './status-error.js';

const groupName = 'atoll';

export function statsHandlers(device: DeviceState): Handler[] {
  return [
    readHandler(statsCommands.list, () => ({ stat_list: [groupName] })),
    readHandler(statsCommands.read, ({ name }) => {
      if (name !== groupName) throw new StatusError(null, SmpStatus.ENOENT);
      return { name, fields: { ...device.counters } };
    }),
  ];
}
