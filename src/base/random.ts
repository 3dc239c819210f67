// Seeded random numbers, so that the same seed selects the same samples, devices and faults every time.

import { elementAt } from './checked.js';

/**
 * The generator mulberry32 (Tommy Ettinger, 2017): 32 bits of state.
 * @returns a function that gives numbers from 0 up to, but not including, 1
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** `count` of the numbers 0 ... total - 1, drawn without repetition, in ascending order. */
export function drawSorted(total: number, count: number, seed: number): number[] {
  const random = seededRandom(seed);
  const all = Array.from({ length: total }, (_, i) => i);
  for (let i = 0; i < Math.min(count, total); i++) {
    const j = i + Math.floor(random() * (total - i));
    [all[i], all[j]] = [elementAt(all, j), elementAt(all, i)];
  }
  return all.slice(0, count).sort((a, b) => a - b);
}
