import { SmpStatus, statsCommands } from '../protocol/index.js';
import type { DeviceState } from './device-state.js';
import { type Handler, teller } from './handlers.js';
import { StatusError } from './status-error.js';

const groupName = 'atoll';

export function statsHandlers(device: DeviceState): Handler[] {
  return [
    teller(statsCommands.list, () => ({ stat_list: [groupName] })),
    teller(statsCommands.read, ({ name }) => {
      if (name !== groupName) throw new StatusError(null, SmpStatus.ENOENT);
      return { name, fields: { ...device.counters } };
    }),
  ];
}
