// Image files as real values: sharp (libvips) decodes and resizes them, then they are scaled to a range or by mean and
// deviation.

import type { Sharp } from 'sharp';
import { elementAt } from '../base/checked.js';
import { fail, reasonOf } from '../base/errors.js';
import type { ImageOptions } from './schema.js';

const fits = { crop: 'cover', stretch: 'fill', pad: 'contain' } as const;
const kernels = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic', lanczos3: 'lanczos3' } as const;

export interface DecodedImage {
  /** [height, width, channels] */
  readonly shape: readonly [number, number, number];
  readonly values: Float32Array;
}

/** @throws DATASET_IMAGE_INVALID */
export async function readImage(file: string, options: ImageOptions): Promise<DecodedImage> {
  try {
    // Loaded on demand: the largest of the dependencies, and few runs need it.
    const { default: sharp } = await import('sharp');
    let image: Sharp = sharp(file).rotate().removeAlpha();
    const { resize } = options;
    if (resize !== undefined)
      image = image.resize(resize.width, resize.height, { fit: fits[resize.fit], kernel: kernels[resize.kernel] });
    image = options.channels === 'gray' ? image.toColourspace('b-w') : image.toColourspace('srgb');
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const values = normalize(data, info.channels, options);
    return { shape: [info.height, info.width, info.channels], values };
  } catch (error) {
    throw fail('DATASET_IMAGE_INVALID', { path: file, reason: reasonOf(error) }, error);
  }
}

function normalize(pixels: Uint8Array, channels: number, options: ImageOptions): Float32Array {
  const [low, high] = options.range ?? [0, 255];
  const pick = (value: number | number[] | undefined, channel: number, otherwise: number): number =>
    value === undefined ? otherwise : typeof value === 'number' ? value : elementAt(value, channel % value.length);
  const out = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    const channel = i % channels;
    const from = options.channels === 'bgr' ? i - channel + (channels - 1 - channel) : i;
    const real = low + (elementAt(pixels, from) * (high - low)) / 255;
    out[i] = (real - pick(options.mean, channel, 0)) / pick(options.std, channel, 1);
  }
  return out;
}
