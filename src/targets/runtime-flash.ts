// Flash of the runtime without the model: the interpreter, and each operator that the model registers.

import type { Model } from '../formats/tflite/index.js';
import type { Target } from './load.js';
import { operatorKinds } from './op-resolver.js';
import type { LinkedSizes } from './schema.js';

/** Flash that the runtime and its kernels take, in bytes. */
export interface RuntimeFlash {
  /** Interpreter and operators, shared code counted once; a lower bound if an operator was not measured. */
  readonly bytes: number;
  /** Interpreter and schema, in bytes. */
  readonly interpreterBytes: number;
  /** Bytes that each operator would add alone, largest first; null if it was not measured. */
  readonly operators: readonly { readonly op: string; readonly bytes: number | null }[];
}

/** For the kernels that `atoll export --format resolver` registers; null for runtimes that have not been measured. */
export function runtimeFlashOf(model: Model, { linked }: Target): RuntimeFlash | null {
  if (linked === null) return null;
  const kinds = operatorKinds(model).map(({ op, type }) => ({
    op,
    entry: [`${op} ${type}`, op].find((name) => linked.operators.includes(name)),
  }));
  const operators = kinds.map(({ op, entry }) => ({
    op,
    bytes: entry === undefined ? null : linkedBytes(linked, [entry]),
  }));
  const { interpreterBytes } = linked;
  return {
    bytes:
      interpreterBytes +
      linkedBytes(
        linked,
        kinds.flatMap(({ entry }) => entry ?? []),
      ),
    interpreterBytes,
    operators: operators.sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0)),
  };
}

/** Bytes that operators add together. @param names as in `linked.operators` */
export function linkedBytes(linked: LinkedSizes, names: readonly string[]): number {
  const wanted = names.reduce((mask, name) => mask | (1n << BigInt(linked.operators.indexOf(name))), 0n);
  return piecesOf(linked).reduce((sum, { bytes, mask }) => sum + ((mask & wanted) === 0n ? 0 : bytes), 0);
}

interface Piece {
  readonly bytes: number;
  readonly mask: bigint;
}

const parsed = new WeakMap<LinkedSizes, readonly Piece[]>();

/** Several targets link the same build and are asked about many operators. */
function piecesOf(linked: LinkedSizes): readonly Piece[] {
  const pieces = parsed.get(linked) ?? linked.pieces.map(([bytes, mask]) => ({ bytes, mask: BigInt(`0x${mask}`) }));
  parsed.set(linked, pieces);
  return pieces;
}
