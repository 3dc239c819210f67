// Reads the configuration of a source node. What is missing or of another type than expected is an error that names the
// layer and the attribute.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Attribute, Attributes, SourceNode, SourceWeight } from '../../formats/source/index.js';
import { floats, type NdArray } from './reference/arrays.js';

export class NodeReader {
  constructor(
    readonly node: SourceNode,
    /** Major version of the framework that wrote the model; the newest where the file does not say. */
    readonly version: number,
    private readonly attributes: Attributes = node.attributes,
  ) {}

  get operator(): string {
    return this.node.operator;
  }

  has(name: string): boolean {
    return this.attributes[name] !== undefined && this.attributes[name] !== null;
  }

  value(name: string): Attribute | undefined {
    return this.attributes[name];
  }

  flag(name: string, byDefault: boolean): boolean {
    const value = this.attributes[name] ?? byDefault;
    if (typeof value !== 'boolean') throw this.invalid(name, value);
    return value;
  }

  number(name: string, byDefault: number): number {
    const value = this.attributes[name] ?? byDefault;
    if (typeof value !== 'number') throw this.invalid(name, value);
    return value;
  }

  integer(name: string, byDefault: number): number {
    const value = this.number(name, byDefault);
    if (!Number.isInteger(value)) throw this.invalid(name, value);
    return value;
  }

  /** A list of integers; a single one counts as `count` equal ones. */
  integers(name: string, count: number, byDefault: number): number[] {
    const value = this.attributes[name] ?? byDefault;
    const list = Array.isArray(value) ? value : new Array<Attribute>(count).fill(value as Attribute);
    const whole = list.every((one): one is number => typeof one === 'number' && Number.isInteger(one));
    if (!whole || list.length !== count) throw this.invalid(name, value);
    return list;
  }

  pair(name: string, byDefault: number): [number, number] {
    const [a = byDefault, b = byDefault] = this.integers(name, 2, byDefault);
    return [a, b];
  }

  text(name: string, byDefault: string): string {
    const value = this.attributes[name] ?? byDefault;
    if (typeof value !== 'string') throw this.invalid(name, value);
    return value;
  }

  /** One of the given texts. */
  choice<T extends string>(name: string, allowed: readonly T[], byDefault: T): T {
    const value = this.text(name, byDefault);
    const found = allowed.find((one) => one === value.toLowerCase());
    if (found === undefined) throw this.invalid(name, value);
    return found;
  }

  /** The weights at a position in the framework's order. */
  weight(position: number): SourceWeight {
    const weight = this.node.weights[position];
    if (weight === undefined)
      throw this.refused(`the file has ${this.node.weights.length} weights for it, and ${position + 1} are needed`);
    return weight;
  }

  /** Float weights of a known shape. @param shape null for any size of a dimension */
  floats(position: number, shape: readonly (number | null)[]): NdArray {
    const weight = this.weight(position);
    const fits =
      weight.shape.length === shape.length && shape.every((size, d) => size === null || size === weight.shape[d]);
    if (!fits)
      throw this.refused(
        `weights ${position} have the shape [${weight.shape.join(', ')}], where ` +
          `[${shape.map((size) => size ?? '?').join(', ')}] is needed`,
      );
    const values = weight.values();
    return floats(weight.shape, values instanceof Float32Array ? values : Float32Array.from(values as Int32Array));
  }

  /** The shape of weights at a position. */
  weightShape(position: number): readonly number[] {
    return this.weight(position).shape;
  }

  /** A part of the configuration with attributes of its own, for example the cell of a recurrent layer. */
  part(attributes: Attributes): NodeReader {
    return new NodeReader(this.node, this.version, attributes);
  }

  /** A layer that this layer holds, with its part of the weights. */
  held(operator: string, attributes: Attributes, weights: readonly SourceWeight[]): NodeReader {
    return new NodeReader({ ...this.node, operator, attributes, weights }, this.version);
  }

  /** The error for an attribute of another form than expected. */
  invalid(name: string, value: Attribute): Error {
    return this.refused(`${name} is ${JSON.stringify(value).slice(0, 60)}`);
  }

  /** The error for a form of the layer that cannot be converted. @param reason a clause */
  refused(reason: string): Error {
    return fail('CONVERT_LAYER', { layer: this.node.path, operator: this.node.operator, reason });
  }
}

/** The element of a list that must be there, as an error of the node where it is not. */
export function inputAt<T>(node: NodeReader, inputs: readonly T[], position: number): T {
  if (inputs[position] === undefined)
    throw node.refused(`it has ${inputs.length} inputs, and ${position + 1} are needed`);
  return elementAt(inputs, position);
}
