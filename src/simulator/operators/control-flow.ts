// IF, WHILE, CALL_ONCE: operators that call other subgraphs; VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE: variables that
// subgraphs share by name.

import {
  anyType,
  type CalledSubgraph,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  requireShape,
  requireType,
  type ShapeRule,
  type Step,
  type Turns,
} from './operator.js';

const bytesOf = ({ data }: Operand): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Copies operands one to one, all read before any is written. */
function mover(context: OperatorContext, from: readonly Operand[], to: readonly Operand[], what: string): () => void {
  if (from.length !== to.length) throw invalid(context, `${from.length} tensors for ${to.length} ${what}`);
  to.forEach((target, i) => {
    requireType(context, target, (from[i] as Operand).type);
    requireShape(context, target, (from[i] as Operand).shape);
  });
  return () => {
    const values = from.map((operand) => bytesOf(operand).slice());
    for (const [i, target] of to.entries()) bytesOf(target).set(values[i] as Uint8Array);
  };
}

function givenInputs(context: OperatorContext, first: number): Operand[] {
  return context.inputs.slice(first).map((_, i) => inputOf(context, first + i));
}

/** Passes arguments to a subgraph, invokes it, and copies its results. */
function caller(
  context: OperatorContext,
  called: CalledSubgraph,
  from: readonly Operand[],
  to: readonly Operand[],
): () => Turns {
  const give = mover(context, from, called.inputs, 'inputs of the subgraph');
  const take = mover(context, called.outputs, to, 'results');
  return function* () {
    give();
    yield* called.invoke();
    take();
  };
}

function prepareIf(context: OperatorContext): Step {
  const condition = inputOf(context, 0);
  const { thenSubgraphIndex, elseSubgraphIndex } = optionsOf(context, 'IfOptions');
  requireType(context, condition, 'bool');
  if (condition.count !== 1) throw invalid(context, `a condition of ${condition.count} elements`);
  const [yes, no] = [thenSubgraphIndex, elseSubgraphIndex].map((index) =>
    caller(context, context.shared.subgraph(index), givenInputs(context, 1), context.outputs),
  ) as [() => Turns, () => Turns];
  return () => ((condition.data as Uint8Array)[0] !== 0 ? yes() : no());
}

/** The outputs hold the loop state. */
function prepareWhile(context: OperatorContext): Step {
  const { condSubgraphIndex, bodySubgraphIndex } = optionsOf(context, 'WhileOptions');
  const [condition, body] = [condSubgraphIndex, bodySubgraphIndex].map((index) => context.shared.subgraph(index)) as [
    CalledSubgraph,
    CalledSubgraph,
  ];
  const [flag] = condition.outputs;
  if (flag === undefined || flag.type !== 'bool' || flag.count !== 1)
    throw invalid(context, 'its condition must give one bool');
  const begin = mover(context, givenInputs(context, 0), context.outputs, 'outputs');
  const ask = mover(context, context.outputs, condition.inputs, 'inputs of the condition');
  const turn = caller(context, body, context.outputs, context.outputs);
  return function* () {
    begin();
    for (;;) {
      ask();
      yield* condition.invoke();
      if ((flag.data as Uint8Array)[0] === 0) return;
      yield* turn();
    }
  };
}

function prepareCallOnce(context: OperatorContext): Step {
  const { initSubgraphIndex } = optionsOf(context, 'CallOnceOptions');
  const { subgraph, done } = context.shared;
  const called = subgraph(initSubgraphIndex);
  if (called.inputs.length > 0 || called.outputs.length > 0)
    throw invalid(context, 'it calls a subgraph with inputs or outputs');
  return () => {
    if (done.has(context.place)) return undefined;
    done.add(context.place);
    return called.invoke();
  };
}

function prepareVarHandle(context: OperatorContext): () => void {
  const { container, sharedName } = optionsOf(context, 'VarHandleOptions');
  const output = outputOf(context);
  requireType(context, output, 'resource');
  const handle = context.shared.resources.handleOf(`${container ?? ''}/${sharedName ?? ''}`);
  return () => (output.data as Int32Array).fill(handle);
}

function handleOf(context: OperatorContext): () => number {
  const resource = inputOf(context, 0);
  if (resource.type !== 'resource' && resource.type !== 'int32')
    throw invalid(context, `tensor ${resource.label} is ${resource.type}, no resource`);
  return () => (resource.data as Int32Array)[0] as number;
}

/** An unassigned variable contains zeros, like the memory that TFLM allocates for it. */
function prepareRead(context: OperatorContext): () => void {
  const handle = handleOf(context);
  const output = outputOf(context);
  return () => {
    const value = context.shared.resources.read(handle());
    const target = bytesOf(output);
    if (value === null) target.fill(0);
    else if (value.byteLength === target.byteLength) target.set(value);
    else
      throw invalid(
        context,
        `the variable holds ${value.byteLength} bytes, tensor ${output.label} ${target.byteLength}`,
      );
  };
}

function prepareAssign(context: OperatorContext): () => void {
  const handle = handleOf(context);
  const value = inputOf(context, 1);
  return () => context.shared.resources.assign(handle(), bytesOf(value));
}

/** The results of one branch; the other must have the same. */
const branchShapes: ShapeRule = (context) =>
  context.shared.subgraph(optionsOf(context, 'IfOptions').thenSubgraphIndex).outputs.map(({ shape }) => shape);

const asGiven: ShapeRule = (context) => context.inputs.map((_, i) => inputOf(context, i).shape);

/** Known from the file only. */
const asStored: ShapeRule = () => null;

const stateful = (family: OperatorFamily): OperatorFamily => ({ ...family, dependsOn: 'state' });

export const ifOperator = stateful(
  copyFamily('IF', ['bool'], branchShapes, prepareIf, { options: [8, 4], persistent: [8] }),
);
export const whileOperator = stateful(
  copyFamily('WHILE', anyType, asGiven, prepareWhile, { options: [8, 4], persistent: [12] }),
);
export const callOnce = stateful(
  copyFamily('CALL_ONCE', [], () => [], prepareCallOnce, { options: [4, 4], persistent: [8] }),
);
export const varHandle = stateful(
  copyFamily('VAR_HANDLE', [], asStored, prepareVarHandle, { options: [8, 4], persistent: [4] }),
);
export const readVariable = stateful(copyFamily('READ_VARIABLE', ['resource', 'int32'], asStored, prepareRead));
export const assignVariable = stateful(copyFamily('ASSIGN_VARIABLE', ['resource', 'int32'], () => [], prepareAssign));
