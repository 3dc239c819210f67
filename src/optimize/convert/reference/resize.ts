// Images of another size, of the reference interpreter: [batch, height, width, channels].

import { elementAt } from '../../../base/checked.js';
import { elementCount } from '../../../formats/tflite/index.js';
import { floats, type NdArray, stridesOf } from './arrays.js';

/** How an image gets another size. */
export type Interpolation = 'nearest' | 'bilinear';

/**
 * An image of another size. Centers of pixels are at half coordinates (tf.image.resize); nearest takes the pixel that
 * holds the center.
 */
export function resizedImage(image: NdArray, [height, width]: readonly [number, number], how: Interpolation): NdArray {
  const along = (size: number, target: number, axis: number, x: NdArray): NdArray => {
    const positions = Array.from(
      { length: target },
      (_, i) => ((i + 0.5) * size) / target - (how === 'nearest' ? 0 : 0.5),
    );
    const strides = stridesOf(x.shape);
    const outer = elementCount(x.shape.slice(0, axis));
    const inner = elementAt(strides, axis);
    const result = floats(x.shape.map((one, d) => (d === axis ? target : one)));
    const [from, to] = [x.data as Float32Array, result.data as Float32Array];
    for (let o = 0; o < outer; o++)
      positions.forEach((position, i) => {
        const low = Math.floor(position);
        const share = how === 'nearest' ? 0 : position - low;
        const first = (o * size + Math.min(size - 1, Math.max(0, low))) * inner;
        const second = (o * size + Math.min(size - 1, Math.max(0, low + 1))) * inner;
        for (let k = 0; k < inner; k++)
          to[(o * target + i) * inner + k] =
            (from[first + k] as number) * (1 - share) + (from[second + k] as number) * share;
      });
    return result;
  };
  return along(elementAt(image.shape, 2), width, 2, along(elementAt(image.shape, 1), height, 1, image));
}
