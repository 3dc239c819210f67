// Loads the model of a verb: a `.tflite` file, a bundle, or a source model, which is converted.

import { readBytes } from '../base/files/index.js';
import type { OnProgress } from '../base/progress.js';
import { decodeSlotImage, type Trailer } from '../devices/bundle/index.js';
import { beside, decodeSource, type SourceGraph } from '../formats/source/index.js';
import { type Model, readModel, writeModel } from '../formats/tflite/index.js';
import { type ConversionCheck, convert } from '../optimize/convert/index.js';
import { resolveShapes } from '../simulator/index.js';

/** What else is known about how to load a model. */
export interface LoadOptions {
  /** Shapes of inputs, by name; the other shapes follow. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  readonly signature?: string | undefined;
  /** For source models: the layer before which the model ends. */
  readonly stopBefore?: string | undefined;
  /** For source models: the longest sequence that is unrolled, in steps. */
  readonly maxUnrolled?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Where a converted model comes from. */
export interface ConvertedFrom extends Pick<SourceGraph, 'format' | 'producer'> {
  /** Number of layers or operators of the source model that the model computes. */
  readonly layers: number;
  readonly checked: ConversionCheck;
}

/** A loaded model. */
export interface LoadedModel {
  /** Of the `.tflite` file, without the trailer of a bundle. */
  readonly bytes: Uint8Array;
  readonly model: Model;
  /** The bundle's manifest; null for a bare model. */
  readonly trailer: Trailer | null;
  /** null for a model that was not converted. */
  readonly convertedFrom: ConvertedFrom | null;
}

/**
 * Reads a model, the model in a bundle, or a source model. @throws FILE_*, TFLITE_*, SLOT_IMAGE_INVALID, SOURCE_*,
 * CONVERT_*, and what resolveShapes throws
 */
export async function loadModel(file: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const read = await readOrConvert(file, options);
  if ('convertedFrom' in read) return { ...read, bytes: writeModel(read.model), trailer: null };
  const { model: bytes, trailer } = decodeSlotImage(read.content);
  const model = readModel(bytes, file);
  const { shapes, signature } = options;
  if (shapes === undefined) return { bytes, model, trailer, convertedFrom: null };
  const resolved = resolveShapes(model, shapes, signature);
  return { bytes: writeModel(resolved), model: resolved, trailer, convertedFrom: null };
}

type Converted = Pick<LoadedModel, 'model' | 'convertedFrom'>;
type Content = { readonly content: Uint8Array };

/** Functions of their own, so that of a large source model no more is in memory than the next step needs. */
async function readOrConvert(file: string, options: LoadOptions): Promise<Content | Converted> {
  const read = await readEither(file);
  if ('content' in read) return read;
  const { format, producer } = read;
  const { model, layers, checked } = await convert(read, options);
  return { model, convertedFrom: { format, producer, layers, checked } };
}

async function readEither(file: string): Promise<Content | SourceGraph> {
  const content = await readBytes(file);
  return (await decodeSource(content, file, beside(file))) ?? { content };
}
