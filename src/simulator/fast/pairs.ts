// Elementwise operators on two 8-bit tensors: the plain kernel computes all 65536 results once, and a table returns
// them.

import type { LinearMemory } from '../kernels/index.js';
import { operatorFamilies } from '../operators/index.js';
import { inputOf, type Operand, outputOf } from '../operators/operator.js';
import { strides } from '../operators/positions.js';
import type { FastKernel } from './fast-kernel.js';
import { computesAll, detached, isByte } from './table.js';

const values = 256;

/** With fewer elements the table costs more than it saves. */
const worthwhile = 2048;

export const fastPairs: FastKernel = (context, memory) => {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  const family = operatorFamilies.get(context.name);
  const bytes = isByte(a) && isByte(b) && (isByte(output) || output.type === 'bool');
  if (family === undefined || !bytes || output.address === null || output.count < worthwhile) return null;
  // In blocks the result depends on the position of an element.
  if (context.arithmetic.pairsInBlocks && (context.name === 'ADD' || context.name === 'MUL')) return null;
  const walk = walkOf(a, b, output);
  if (walk === null) return null;
  const all = Uint8Array.from({ length: values }, (_, i) => i);
  const table = new Uint8Array(values * values);
  const inputs = [detached(a, all, [values, 1]), detached(b, all, [1, values])];
  const step = family.prepare({ ...context, inputs, outputs: [detached(output, table, [values, values])] });
  if (!computesAll(step as () => void)) return null;
  const [atA, atB, placedTable, placedWalk] = [
    addressOf(a, memory),
    addressOf(b, memory),
    memory.place(table),
    memory.place(Int32Array.from(walk)),
  ];
  const to = output.address;
  return (kernels) => kernels.tableOfPairs8(atA, atB, to, placedTable, placedWalk);
};

/** Constants are copied to linear memory. */
function addressOf(operand: Operand, memory: LinearMemory): number {
  return operand.address ?? memory.place(operand.data);
}

/** One loop of the traversal: its length, and the step of each operand. */
type Loop = readonly [length: number, a: number, b: number];

/** Three nested loops over both operands, with step 0 for a broadcast operand; null if three are not enough. */
function walkOf(a: Operand, b: Operand, output: Operand): number[] | null {
  const rank = output.shape.length;
  const steps = (operand: Operand): number[] => {
    const own = strides(operand.shape);
    return output.shape.map((_, d) => {
      const at = d - rank + operand.shape.length;
      return at < 0 || operand.shape[at] === 1 ? 0 : (own[at] as number);
    });
  };
  const [stepsA, stepsB] = [steps(a), steps(b)];
  const loops: Loop[] = [];
  for (let d = rank - 1; d >= 0; d--) {
    const loop: Loop = [output.shape[d] as number, stepsA[d] as number, stepsB[d] as number];
    const last = loops.at(-1);
    if (loop[0] === 1) continue;
    // Adjacent dimensions that both operands traverse without gaps are merged.
    if (last !== undefined && loop[1] === last[0] * last[1] && loop[2] === last[0] * last[2])
      loops[loops.length - 1] = [loop[0] * last[0], last[1], last[2]];
    else loops.push(loop);
  }
  while (loops.length < 3) loops.push([1, 0, 0]);
  return loops.length > 3 ? null : loops.toReversed().flat();
}
