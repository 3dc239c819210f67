import { osCommands } from '../protocol/index.js';
import type { DeviceState } from './device-state.js';
import { type Handler, handler } from './handlers.js';

export function osHandlers(device: DeviceState): Handler[] {
  return [
    handler(osCommands.echo, ({ d }) => ({ r: d })),
    handler(osCommands.reset, () => {
      device.resetSoon();
      return {};
    }),
    handler(osCommands.params, () => ({ buf_size: device.maxPacketBytes, buf_count: device.buffers })),
    handler(osCommands.info, () => ({ output: `Atoll simulated ${device.target.id}` })),
  ];
}
