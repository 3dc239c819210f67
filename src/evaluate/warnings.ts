import { elementAt } from '../base/checked.js';
import type { Warning } from '../base/warnings.js';
import type { Dataset } from '../data/index.js';
import type { Model } from '../formats/tflite/index.js';
import { overflowRisks } from '../simulator/index.js';

/** Warnings about the model, independent of where it runs. */
export function modelWarnings(model: Model): Warning[] {
  return overflowRisks(model).map(({ operator, op, tensor, channels }) => ({
    code: 'ACCUMULATOR_OVERFLOW',
    message:
      `operator ${operator} ${op}: the 32-bit accumulator of ${channels} channel(s) of weights ${tensor} can ` +
      'wrap, here as on the device',
  }));
}

/**
 * Warnings about the dataset itself.
 * @param model inputs of the model
 * @param order for each input of the model, the index of the dataset input that feeds it
 */
export function dataWarnings(
  { name, inputs, warnings }: Pick<Dataset, 'name' | 'inputs' | 'warnings'>,
  model: readonly { readonly type: string }[],
  order: readonly number[],
): Warning[] {
  // Inputs of other types hold indices or flags, which are not scaled.
  const scaled = ['float32', 'int8', 'uint8', 'int16'];
  const plain = model.some(({ type }, i) => inputs[elementAt(order, i)]?.integers === true && scaled.includes(type));
  const message =
    `dataset ${name} uses integers from disk unscaled; if the model was trained on scaled values, add a ` +
    'quantization (scale, zeroPoint)';
  return [...(plain ? [{ code: 'UNSCALED_INTEGERS', message }] : []), ...warnings];
}

/**
 * Warns if a stateful model gets several samples of one file, which may be a stream, and nothing says how long state
 * lasts.
 */
export function stateWarnings(
  state: 'none' | 'continues' | 'reset',
  { state: said, sharesFiles, name }: Pick<Dataset, 'state' | 'sharesFiles' | 'name'>,
): Warning[] {
  if (state === 'none' || said !== null || !sharesFiles) return [];
  return [
    {
      code: 'STATE_PER_SAMPLE',
      message:
        `the model keeps state, which is reset before every sample of ${name}: if the samples of a file are a ` +
        'stream, set state: per-file',
    },
  ];
}

/** The same for raw samples of one file. */
export function resetWarnings(state: 'none' | 'continues' | 'reset'): Warning[] {
  if (state === 'none') return [];
  return [
    {
      code: 'STATE_PER_SAMPLE',
      message:
        'the model keeps state, which is reset before every sample: if the samples are a stream, run them as one',
    },
  ];
}
