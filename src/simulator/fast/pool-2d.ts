// AVERAGE_POOL_2D in int8 and float32 and MAX_POOL_2D in int8, with at least 8 channels.

import { floatLimits, quantizedLimits } from '../operators/activation.js';
import { poolOf } from '../operators/pool-2d.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';
import { placeWindow } from './packed-window.js';
import { panelChannels } from './panels.js';

/** Maximum window size for which the kernel's division is exact. */
const maxElements = 2 ** 16 - 1;

export const fastPool2d: FastKernel = (context, memory) => {
  const pool = poolOf(context);
  const { window, activation } = pool;
  const addresses = addressesOf(pool.input, pool.output);
  if (
    addresses === null ||
    window.inputChannels < panelChannels ||
    window.filterHeight * window.filterWidth > maxElements
  )
    return null;
  const [input, output] = addresses as [number, number];
  const average = context.name === 'AVERAGE_POOL_2D';
  if (pool.input.type === 'int8') {
    const [low, high] = quantizedLimits(context, pool.output, activation);
    const geometry = placeWindow(memory, window);
    return (kernels) => (average ? kernels.averageInt8 : kernels.maxInt8)(geometry, input, output, low, high);
  }
  if (pool.input.type === 'float32' && average) {
    const [low, high] = floatLimits(context, activation);
    const geometry = placeWindow(memory, window);
    return (kernels) => kernels.averageFloat(geometry, input, output, low, high);
  }
  return null;
};
