import { alignUp } from '../../base/alignment.js';

/** Alignment of the buffers in TFLite Micro's arena, in bytes (MicroArenaBufferAlignment). */
export const arenaAlignment = 16;

/** The bytes that a buffer occupies in the arena. */
export function arenaBytesOf(bytes: number): number {
  return alignUp(bytes, arenaAlignment);
}
