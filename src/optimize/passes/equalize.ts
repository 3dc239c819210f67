// Cross-layer equalization (M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction,
// ICCV 2019, eq. 9 to 11). If one layer feeds another through nothing but a RELU, channel i of the first is divided by
// s and the weights of the second that read it are multiplied by s. The outputs do not change; s is chosen so that both
// weight ranges are equal.

import { elementAt } from '../../base/checked.js';
import {
  ActivationFunctionType,
  addFloats,
  constantFloats,
  copyModel,
  isPrivate,
  linksOf,
  type Model,
  type Operator,
  type SubGraph,
} from '../../formats/tflite/index.js';
import { layersOf } from '../../simulator/index.js';
import type { Changed } from './pass.js';

const rounds = 10;
/** A larger factor would trade one extreme for another. */
const maxFactor = 1e3;

/** Supports models with one subgraph and returns others unchanged. Counts pairs of layers. */
export function equalize(model: Model): Changed {
  if (model.subgraphs.length !== 1) return { model, changes: 0 };
  const copy = copyModel(model);
  const pairs = pairsOf(copy);
  for (let round = 0; round < rounds; round++) for (const pair of pairs) equalizePair(pair);
  for (const layer of new Set(pairs.flatMap(({ first, second }) => [first, second]))) layer.store();
  return { model: copy, changes: pairs.length };
}

interface Pair {
  readonly first: EditableLayer;
  readonly second: EditableLayer;
}

function pairsOf(model: Model): Pair[] {
  const subgraph = elementAt(model.subgraphs, 0);
  const links = linksOf(subgraph);
  const byInput = new Map<number, EditableLayer>();
  const layers = layersOf(model).flatMap((layer) => {
    const editable = EditableLayer.of(model, subgraph, layer);
    if (editable !== null) byInput.set(layer.input, editable);
    return editable === null ? [] : [editable];
  });
  return layers.flatMap((first) => {
    const second = byInput.get(first.layer.output);
    const fits =
      second !== undefined &&
      second.inputChannels === first.layer.channels &&
      first.isHomogeneous &&
      isPrivate(subgraph, links, first.layer.output);
    return fits ? [{ first, second }] : [];
  });
}

function equalizePair({ first, second }: Pair): void {
  for (let channel = 0; channel < first.layer.channels; channel++) {
    const [own, next] = [first.outputRange(channel), second.inputRange(channel)];
    if (own === 0 || next === 0) continue;
    const factor = Math.min(maxFactor, Math.max(1 / maxFactor, Math.sqrt(own * next) / next));
    first.scaleOutput(channel, 1 / factor);
    second.scaleInput(channel, factor);
  }
}

type LayerShape = ReturnType<typeof layersOf>[number];

/** A layer's weights and bias while they are changed. */
class EditableLayer {
  private constructor(
    private readonly model: Model,
    private readonly subgraph: SubGraph,
    readonly layer: LayerShape,
    private readonly operator: Operator,
    private readonly weights: Float32Array,
    private readonly bias: Float32Array | null,
  ) {}

  static of(model: Model, subgraph: SubGraph, layer: LayerShape): EditableLayer | null {
    const operator = elementAt(subgraph.operators, layer.operator);
    const weights = constantFloats(model, elementAt(subgraph.tensors, layer.weights));
    const [, , biasIndex = -1] = operator.inputs ?? [];
    const bias = biasIndex < 0 ? null : constantFloats(model, elementAt(subgraph.tensors, biasIndex));
    return weights === null || (biasIndex >= 0 && bias === null)
      ? null
      : new EditableLayer(model, subgraph, layer, operator, weights, bias);
  }

  /** Whether scaling the input scales the output. */
  get isHomogeneous(): boolean {
    const activation = (this.operator.builtinOptions as { fusedActivationFunction?: number } | null)
      ?.fusedActivationFunction;
    return activation === ActivationFunctionType.NONE || activation === ActivationFunctionType.RELU;
  }

  /** 0 if input channels cannot be identified, for example behind a flattened image. */
  get inputChannels(): number {
    const { groups, depth, channels } = this.layer;
    if (groups === channels) return channels;
    const shape = this.subgraph.tensors[this.layer.weights]?.shape;
    return groups === 1 ? (shape?.at(-1) ?? depth) : 0;
  }

  outputRange(channel: number): number {
    let largest = 0;
    for (let place = 0; place < this.layer.depth; place++)
      largest = Math.max(largest, Math.abs(elementAt(this.weights, this.layer.weightAt(channel, place))));
    return largest;
  }

  inputRange(channel: number): number {
    let largest = 0;
    this.forEachReading(channel, (at) => {
      largest = Math.max(largest, Math.abs(elementAt(this.weights, at)));
    });
    return largest;
  }

  scaleOutput(channel: number, factor: number): void {
    for (let place = 0; place < this.layer.depth; place++)
      this.scale(this.weights, this.layer.weightAt(channel, place), factor);
    if (this.bias !== null) this.scale(this.bias, channel, factor);
  }

  scaleInput(channel: number, factor: number): void {
    this.forEachReading(channel, (at) => this.scale(this.weights, at, factor));
  }

  store(): void {
    const { model, subgraph, operator, layer, weights, bias } = this;
    const put = (input: number, like: number, values: Float32Array): void => {
      operator.inputs =
        operator.inputs?.with(input, addFloats(model, subgraph, elementAt(subgraph.tensors, like), values)) ?? null;
    };
    put(1, layer.weights, weights);
    if (bias !== null) put(2, operator.inputs?.[2] ?? -1, bias);
  }

  private scale(values: Float32Array, at: number, factor: number): void {
    values[at] = elementAt(values, at) * factor;
  }

  /** The weights that multiply one channel of the input. */
  private forEachReading(channel: number, visit: (at: number) => void): void {
    const { groups, channels, depth, weightAt } = this.layer;
    if (groups === channels) {
      for (let place = 0; place < depth; place++) visit(weightAt(channel, place));
      return;
    }
    const step = this.inputChannels;
    for (let output = 0; output < channels; output++)
      for (let place = channel; place < depth; place += step) visit(weightAt(output, place));
  }
}
