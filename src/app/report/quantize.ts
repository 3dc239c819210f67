// Report of `quantize`, as text and as JSON.

import type { GateResult } from '../../evaluate/index.js';
import type { MemoryPlan } from '../../optimize/passes/index.js';
import type { MixedPrecision, QuantizeResult } from '../../optimize/quantize/index.js';
import type { CheckResult } from '../../targets/index.js';
import type { MemoryPlanDocument, QuantizeDocument } from '../documents/index.js';
import { gateRow } from './gates.js';
import { memoryPlanText } from './memory.js';
import { bytesText, metricText, millisecondsText, percentText, table } from './text.js';

export interface Quantized {
  readonly file: string;
  readonly output: string;
  readonly inputBytes: number;
  /** Compressed bytes of the output, in the blocks that are sent. */
  readonly compressedBytes: number;
  readonly result: QuantizeResult;
  /** For the requested target. */
  readonly check: CheckResult | null;
  /** Latency without the operators that were widened; null if unknown. */
  readonly unmixedMs: number | null;
  readonly accuracy: QuantizeDocument['accuracy'];
  /** Limits that were judged. */
  readonly gates: readonly GateResult[];
  /** The shipped targets. */
  readonly targets: QuantizeDocument['targets'];
}

export function quantizeDocument({
  file,
  output,
  inputBytes,
  compressedBytes,
  result,
  check,
  unmixedMs,
  accuracy,
  gates,
  targets,
}: Quantized): QuantizeDocument {
  const { plan, calibration, bytes, mixed, memoryPlan } = result;
  const calibrations = (calibration?.subgraphs ?? []).map(({ signature, dataset, samples, seed, sha256 }) => ({
    signature,
    dataset,
    samples,
    seed,
    sha256,
  }));
  return {
    file,
    output,
    scheme: plan.scheme,
    io: plan.io,
    sizes: { inputBytes, outputBytes: bytes.byteLength, compressedBytes },
    // With several signatures, those of the first; the others are in `calibrations`.
    calibration: calibrations[0] ?? null,
    ...(calibrations.length > 1 ? { calibrations } : {}),
    optimizations: result.optimizations,
    rangeMethods: result.rangeMethods,
    repairs: result.repairs,
    mixed: mixed === null ? null : mixedDocument(mixed, check, unmixedMs),
    sparseTensors: result.sparseTensors,
    memoryPlan: memoryPlan === null ? null : memoryPlanDocument(memoryPlan),
    operators: plan.subgraphs.flatMap(({ subgraph, operators }) =>
      operators.map((operator, index) => ({ subgraph, index, ...operator })),
    ),
    tensors: plan.subgraphs.flatMap(({ subgraph, activations }) =>
      activations.map((activation) => ({ subgraph, ...activation })),
    ),
    conversions: plan.subgraphs.flatMap(({ subgraph, conversions }) =>
      conversions.map((conversion) => ({ subgraph, ...conversion })),
    ),
    accuracy,
    gates,
    targets,
    warnings: result.warnings,
    ...(check === null ? {} : { check }),
  };
}

export function quantizeReport(quantized: Quantized): string {
  const { file, output, inputBytes, compressedBytes, result, check, accuracy, gates, targets } = quantized;
  const { plan, calibration, bytes, repairs, sparseTensors, memoryPlan, warnings } = result;
  const rows = [
    ['scheme', `${plan.scheme}, ${plan.io} inputs and outputs (verified on the written file)`],
    [
      'size',
      `${bytesText(inputBytes)} -> ${bytesText(bytes.byteLength)} ` +
        `(${percentText(bytes.byteLength / inputBytes, 0)}), ${bytesText(compressedBytes)} to send`,
    ],
    ...(calibration?.subgraphs ?? []).map(({ signature, samples, dataset }) => [
      'calibration',
      `${samples} samples of ${dataset}${signature === null ? '' : ` for ${signature}`}`,
    ]),
    ...repairs.map(({ name, before, after, kept }) => [
      name,
      `SNR ${before.toFixed(2)} -> ${after.toFixed(2)} dB${kept ? '' : ', undone'}`,
    ]),
    ...(sparseTensors === 0 ? [] : [['sparse', `the weights of ${sparseTensors} layer(s)`]]),
    ...(memoryPlan === null ? [] : [['memory plan', memoryPlanText(memoryPlan)]]),
    ...mixedRows(quantized),
  ];
  if (accuracy !== null) {
    const { metric, float, quantized: after, samples } = accuracy;
    rows.push([
      'accuracy',
      `${metric}: float ${metricText(metric, float)}, quantized ${metricText(metric, after)} (${samples} samples)`,
    ]);
  }
  for (const gate of gates) rows.push(gateRow(gate));
  rows.push([
    'fits',
    targets.flatMap(({ target, fits }) => (fits ? [target] : [])).join(', ') || 'none of the shipped targets',
  ]);
  if (check !== null)
    rows.push([
      'target',
      `${check.target}: ${check.fits ? 'fits' : check.reasons.map(({ message }) => message).join('; ')}`,
    ]);
  return [
    `${file} -> ${output}`,
    table(rows),
    ...warnings.map(({ code, message }) => `warning ${code}: ${message}`),
  ].join('\n');
}

function mixedDocument(
  { unmixed: _, ...mixed }: MixedPrecision,
  check: CheckResult | null,
  unmixedMs: number | null,
): QuantizeDocument['mixed'] {
  return { ...mixed, latencyMs: mixedLatency(check, unmixedMs) };
}

function memoryPlanDocument({ model: _, ...plan }: MemoryPlan): MemoryPlanDocument {
  return plan;
}

/** Latency cost of widening, if the target's latency is known. */
function mixedLatency(check: CheckResult | null, before: number | null): { before: number; after: number } | null {
  return check?.latencyMs == null || before === null ? null : { before, after: check.latencyMs.value };
}

function mixedRows({ result: { mixed }, check, unmixedMs }: Quantized): string[][] {
  if (mixed === null) return [];
  const { operators, wider, before, after, reached, arenaBytes } = mixed;
  const names = operators.map(({ operator, op }) => `${operator} ${op}`).join(', ');
  const latency = mixedLatency(check, unmixedMs);
  const time =
    latency === null
      ? ''
      : `; ${millisecondsText(latency.before)} -> ${millisecondsText(latency.after)} on ${check?.target} (estimate)`;
  return [
    [`in ${wider}`, operators.length === 0 ? 'none' : names],
    [
      'precision',
      `SNR ${before.toFixed(2)} -> ${after.toFixed(2)} dB${reached ? '' : ', less than requested'}; arena ` +
        `${bytesText(arenaBytes.before)} -> ${bytesText(arenaBytes.after)}${time}`,
    ],
  ];
}
