// Devices without hardware. A SimulatedDevice answers SMP packets like a board of its target, with slots, limits, the
// target's kernel arithmetic, and latencies in ticks: the target's estimate with seeded jitter.

export { ServedDevice, type ServedDeviceOptions, SimulatedDevice, type SimulatedDeviceOptions } from './device.js';
export { type DeviceEngine, type Execution, engineError, type Inference, tickHz } from './device-engine.js';
export { type FaultName, faultNames, faultsNamed } from './faults.js';
export { FleetDevice } from './fleet/fleet-device.js';
export { type FleetFault, fleetFaultNames, fleetFaultsNamed } from './fleet/fleet-faults.js';
export { ImageStore } from './fleet/image-store.js';
export type { FleetPort } from './fleet/port.js';
export { type FleetOptions, numberedIds, type ServedFleet, serveFleet } from './fleet/serve-fleet.js';
export { type FaultRates, VirtualBroker, VirtualSession } from './fleet/virtual-broker.js';
export { VirtualTime } from './fleet/virtual-time.js';
export { PersistentSlots } from './persistent-slots.js';
export { atollStatusError } from './status-error.js';
