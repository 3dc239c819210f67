// Devices without hardware. In goes a target; a SimulatedDevice answers SMP packets as a board of that kind would, with
// slots, limits, the target's kernel bits, and latencies in ticks that follow the target's estimate with seeded jitter.

export { SimulatedDevice, type SimulatedDeviceOptions } from './device.js';
export { type FaultName, faultNames, faultsNamed } from './faults.js';
