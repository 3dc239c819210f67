// Post-training quantization. Takes a float model, or one that is quantized in another way, and, for schemes with
// integer activations, calibration data in real values. Returns a model in the scheme, whose written file has been read
// back and verified, with the plan that made it (plain data). Start with quantize.ts; scheme.ts, rules.ts and ranges.ts
// are the tables that it uses.

export { applyPlan } from './apply.js';
export { type Calibration, type CalibrationOptions, calibrate, type SubgraphCalibration } from './calibrate.js';
export { calibrationText, parseCalibration } from './calibration-file.js';
export type { ActivationPlan, ConversionPlan } from './formats.js';
export { harmlessRepairs, type QuantizeStep, type RepairName, type RepairReport, repairNames } from './improve.js';
export type { MixedPrecision, WiderType } from './mixed-precision.js';
export type { NumberType } from './number-format.js';
export type { Range } from './parameters.js';
export { type OperatorPlan, type PlanOptions, planQuantization, type QuantizationPlan } from './plan.js';
export { type QuantizeOptions, type QuantizeResult, quantize } from './quantize.js';
export { type RangeMethod, rangeMethods } from './ranges.js';
export { type Scheme, type SchemeName, schemeNames, schemeOf, schemes } from './scheme.js';
export { verifyInt8 } from './verify.js';
export type { Granularity } from './weights.js';
