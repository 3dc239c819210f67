// Rolling a bundle out over a fleet: who is in it, which of them a plan means and in what waves, and where they fetch the bundle.

export {
  type Command,
  type Deadlines,
  type DevicePhase,
  type DeviceRecord,
  RolloutEngine,
  type RolloutPhase,
  type RolloutSetup,
} from './engine.js';
export { forecastRollout, type RolloutForecast } from './forecast.js';
export { failsFrom, type Gate, type GateAction, gateActions, type Judgement, judge, type Outcome } from './gates.js';
export { type RolloutPlan, readPlan, type Selection, selectMembers } from './plan.js';
export { type PublishedBundle, publishBundle, withdrawBundle } from './publish-bundle.js';
export { type FleetMember, type Registry, readRegistry, readRegistryAt } from './registry.js';
export { type WavePlan, wavesOf } from './waves.js';
