// Warns if the quantization step is too large for a part of a tensor, so that the part becomes constant.

import { elementAt } from '../../base/checked.js';
import { AtollError } from '../../base/errors.js';
import type { Warning } from '../../base/warnings.js';
import { type Dataset, runsOf } from '../../data/index.js';
import { matchInputs, toModelInput, toRealValues } from '../../evaluate/index.js';
import { type Model, operatorName, tensorLabel } from '../../formats/tflite/index.js';
import { Interpreter, type TensorInfo } from '../../simulator/index.js';
import type { Calibration } from './calibrate.js';
import type { QuantizationPlan } from './plan.js';

/** Minimum number of quantization steps in the range of a tensor. */
const fewSteps = 8;
/** Number of samples used to check inputs and outputs. */
const fewSamples = 16;
/** Maximum number of channels listed in a message. */
const namedChannels = 4;

/** Operands of CONCATENATION and PACK whose range is small compared with the scale shared by all operands. */
export function coarseTensors(
  model: Model,
  plan: QuantizationPlan,
  { subgraphs }: Pick<Calibration, 'subgraphs'>,
): Warning[] {
  return plan.subgraphs.flatMap(({ subgraph: at, activations, conversions }) => {
    const subgraph = elementAt(model.subgraphs, at);
    const statistics = subgraphs.find((one) => one.subgraph === at)?.tensors;
    return subgraph.operators.flatMap((operator, index) => {
      const name = operatorName(model, operator);
      if (!joining.has(name)) return [];
      return Array.from(operator.inputs ?? []).flatMap((tensor): Warning[] => {
        const converted = conversions.find(
          (conversion) =>
            conversion.tensor === tensor && conversion.readers.some((reader) => reader.operator === index),
        );
        const format = converted ?? activations.find((activation) => activation.tensor === tensor);
        const known = statistics?.[tensor];
        if (known == null || format === undefined || format.type === 'float32') return [];
        const steps = (known.max - known.min) / format.scale;
        if (steps === 0 || steps >= fewSteps) return [];
        const label = tensorLabel(tensor, elementAt(subgraph.tensors, tensor));
        const message =
          `tensor ${label} is from ${figure(known.min)} to ${figure(known.max)}, but operator ${index} ${name} ` +
          `joins it with others at the scale ${figure(format.scale)}: ` +
          `it has ${Math.ceil(steps)} step(s) left. Give the joined tensors similar ranges (for example boxes ` +
          `divided by the image's size), or separate outputs`;
        return [{ code: 'COARSE_SCALE', message }];
      });
    });
  });
}

const joining: ReadonlySet<string> = new Set(['CONCATENATION', 'PACK']);

/**
 * Runs a few samples and finds input features that vary by less than one step, and output channels that became
 * constant.
 */
export async function edgeWarnings(float: Model, quantized: Model, datasets: readonly Dataset[]): Promise<Warning[]> {
  try {
    return await edgesOf(float, quantized, datasets);
  } catch (error) {
    // The file is valid, but a kernel aborts for some data.
    if (!(error instanceof AtollError) || error.code !== 'KERNEL_ENDS') throw error;
    return [
      { code: 'KERNEL_ENDS', message: `on calibration data, a kernel of the device would abort: ${error.message}` },
    ];
  }
}

async function edgesOf(float: Model, quantized: Model, datasets: readonly Dataset[]): Promise<Warning[]> {
  const warnings: Warning[] = [];
  for (const dataset of datasets) {
    const signature = dataset.signature ?? undefined;
    const [before, after] = [new Interpreter(float, { signature }), new Interpreter(quantized, { signature })];
    const order = matchInputs(dataset, before.inputs);
    const features = before.inputs.map(() => new Channels());
    const outputs = before.outputs.map(() => ({ float: new Channels(), quantized: new Channels() }));
    for await (const sample of dataset.samples(fewSamples)) {
      for (const { inputs, continues } of runsOf(sample, dataset)) {
        for (const [i, info] of before.inputs.entries())
          features[i]?.add(elementAt(inputs, elementAt(order, i)), info.shape.at(-1) ?? 1);
        for (const interpreter of [before, after]) {
          if (!continues) interpreter.reset();
          interpreter.stream(toModelInput(inputs, interpreter.inputs, order, dataset.name).bytes);
        }
        for (const [i, info] of before.outputs.entries()) {
          const channels = info.shape.at(-1) ?? 1;
          outputs[i]?.float.add(toRealValues(before.output(i), info), channels);
          outputs[i]?.quantized.add(toRealValues(after.output(i), elementAt(after.outputs, i)), channels);
        }
      }
    }
    warnings.push(
      ...features.flatMap((channels, i) => lostFeatures(elementAt(after.inputs, i), channels)),
      ...outputs.flatMap((channels, i) => constantChannels(elementAt(after.outputs, i), channels)),
    );
  }
  return warnings;
}

/** Minimum and maximum of each channel (last dimension). */
class Channels {
  readonly ends: { min: number; max: number }[] = [];

  add(values: Float32Array, channels: number): void {
    for (let i = 0; i < values.length; i++) {
      const value = elementAt(values, i);
      this.ends[i % channels] ??= { min: Infinity, max: -Infinity };
      const ends = elementAt(this.ends, i % channels);
      if (value < ends.min) ends.min = value;
      if (value > ends.max) ends.max = value;
    }
  }

  /** Channels that are not constant, but vary by less than `least`. */
  narrow(least: number): number[] {
    return this.ends.flatMap(({ min, max }, channel) => (max > min && max - min < least ? [channel] : []));
  }
}

function lostFeatures({ name, quantization }: TensorInfo, channels: Channels): Warning[] {
  const lost = quantization === null ? [] : channels.narrow(quantization.scale);
  if (lost.length === 0) return [];
  const message =
    `${lost.length} of ${channels.ends.length} features of input ${name} vary by less than one step ` +
    `(${figure(quantization?.scale ?? 0)}) and are lost: ` +
    `${listed(lost, channels)}. Scale the features to a similar range (for example mean 0 and deviation 1) ` +
    'before training';
  return [{ code: 'LOST_FEATURES', message }];
}

/**
 * Output scales fixed by SOFTMAX, LOGISTIC, TANH and similar operators: changes below one step are insignificant there.
 */
const fixedScales: ReadonlySet<number> = new Set([1 / 256, 1 / 128, 16 / 256, 1 / 32768]);

function constantChannels(
  { name, quantization }: TensorInfo,
  { float, quantized }: { readonly float: Channels; readonly quantized: Channels },
): Warning[] {
  const least = quantization !== null && fixedScales.has(quantization.scale) ? quantization.scale : 0;
  const constant = quantized.ends.flatMap(({ min, max }, channel) => {
    const before = float.ends[channel];
    return min === max && before !== undefined && before.max - before.min > least ? [channel] : [];
  });
  if (constant.length === 0) return [];
  const message =
    `${constant.length} of ${float.ends.length} channels of output ${name} are constant for the calibration samples ` +
    `tried, but vary in the float model: ${listed(constant, float)}. A scheme with 16-bit activations ` +
    '(int16x8) keeps ' +
    'smaller differences';
  return [{ code: 'CONSTANT_OUTPUT', message }];
}

function listed(indices: readonly number[], { ends }: Channels): string {
  const named = indices.slice(0, namedChannels).map((index) => {
    const { min, max } = elementAt(ends, index);
    return `${index} (${figure(min)} to ${figure(max)})`;
  });
  return `${named.join(', ')}${indices.length > namedChannels ? ', ...' : ''}`;
}

const figure = (value: number): string => String(Number(value.toPrecision(3)));
