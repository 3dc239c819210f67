// Rolls a bundle out over a fleet. readPlan -> forecastRollout says what would happen; beginRollout records the
// rollout; leadRollout runs it over a broker until all devices have finished or a gate stops it. If the agent dies, the
// next one continues from the store.

export { type AgentOptions, leadRollout, type RolloutView } from './agent.js';
export { type Beginning, type BeginOptions, beginRollout, requireExpected } from './begin.js';
export { type Clock, type FleetBroker, machineClock } from './broker.js';
export { submitCommand } from './command.js';
export { forecastRollout, type RolloutForecast } from './forecast.js';
export { forgetDevices } from './forget.js';
export {
  type Condition,
  type DeviceMeasurements,
  type DeviceOutcome,
  failsFrom,
  type Gate,
  type GateAction,
  gateActions,
  type Judgement,
  judge,
  nothingMeasured,
} from './gates.js';
export { isOpen, type MaintenanceWindow, opensAt } from './maintenance-window.js';
export { planFrom, type RolloutPlan, readPlan } from './plan.js';
export { Prover } from './proof.js';
export { type PublishedBundle, publishBundle, withdrawBundle } from './publish-bundle.js';
export {
  type Deadlines,
  type DevicePhase,
  type DeviceRecord,
  hasEnded,
  plannedState,
  type Quarantine,
  type RolloutEvent,
  type RolloutPhase,
  type RolloutState,
  settledPhases,
  waitingDevice,
} from './records.js';
export { type FleetMember, type Registry, readRegistry, readRegistryAt, readWholeRegistry } from './registry.js';
export {
  type Changes,
  type DeviceReport,
  type PhaseCounts,
  RolloutEngine,
  type RolloutSetup,
} from './rollout-engine.js';
export { type Selection, selectMembers } from './selection.js';
export { defaultStore, openStore, type RolloutCommand, type RolloutRow, type RolloutStore } from './store/index.js';
export { type RolloutSummary, summarize, type WaveSummary } from './summary.js';
export { type WavePlan, wavesOf } from './waves.js';
