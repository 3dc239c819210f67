import { osCommands } from '../protocol/index.js';
import type { DeviceState } from './device-state.js';
import { type Handler, handler, teller } from './handlers.js';

export function osHandlers(device: DeviceState): Handler[] {
  return [
    teller(osCommands.echo, ({ d }) => ({ r: d })),
    handler(osCommands.reset, () => {
      device.resetSoon();
      return {};
    }),
    teller(osCommands.params, () => ({ buf_size: device.maxPacketBytes, buf_count: device.buffers })),
    teller(osCommands.info, () => ({ output: `Atoll simulated ${device.target.id}` })),
  ];
}
