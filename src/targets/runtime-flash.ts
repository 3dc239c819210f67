// Flash that the runtime takes beside the model: the interpreter, and each operator that the model registers.

import type { Model } from '../tflite/index.js';
import type { Target } from './load.js';
import { operatorKinds } from './op-resolver.js';

export interface RuntimeFlash {
  /** Interpreter and operators, what several operators share counted once; at least so much where an operator was not measured. */
  readonly bytes: number;
  readonly interpreterBytes: number;
  /** What each would add by itself, largest first; null where it was not measured. */
  readonly operators: readonly { readonly op: string; readonly bytes: number | null }[];
}

/** With the kernels that `atoll export --format resolver` registers; null for runtimes that have not been measured. */
export function runtimeFlashOf(model: Model, { linked }: Target): RuntimeFlash | null {
  if (linked === null) return null;
  const pieces = linked.pieces.map(([bytes, mask]) => ({ bytes, mask: BigInt(`0x${mask}`) }));
  const bytesOf = (mask: bigint): number => pieces.reduce((sum, piece) => sum + ((piece.mask & mask) === 0n ? 0 : piece.bytes), 0);
  const kinds = operatorKinds(model).map(({ op, type }) => {
    const typed = type === null ? -1 : linked.operators.indexOf(`${op} ${type}`);
    const bit = typed >= 0 ? typed : linked.operators.indexOf(op);
    return { op, mask: bit < 0 ? 0n : 1n << BigInt(bit) };
  });
  const { interpreterBytes } = linked;
  return {
    bytes: interpreterBytes + bytesOf(kinds.reduce((all, { mask }) => all | mask, 0n)),
    interpreterBytes,
    operators: kinds.map(({ op, mask }) => ({ op, bytes: mask === 0n ? null : bytesOf(mask) })).sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0)),
  };
}
