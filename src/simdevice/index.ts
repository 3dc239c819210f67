// Devices without hardware. In goes a target; a SimulatedDevice answers SMP packets as a board of that kind would, with
// slots, limits, the target's kernel bits, and latencies in ticks that follow the target's estimate with seeded jitter.

export { SimulatedDevice, type SimulatedDeviceOptions } from './device.js';
export { type FaultName, faultNames, faultsNamed } from './faults.js';
export { type FleetDevice, type FleetFault, type FleetPort, fleetFaultNames, fleetFaultsNamed } from './fleet/fleet-device.js';
export { ImageStore } from './fleet/image-store.js';
export { type FleetOptions, type ServedFleet, serveFleet } from './fleet/serve-fleet.js';
