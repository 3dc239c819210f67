// Finds an order of operators that minimizes the peak of live bytes.

import { elementAt } from '../../../base/checked.js';

/** Operators and the tensors between them; sizes in bytes. */
export interface OrderProblem {
  /** By operator: operators that must run before it. */
  readonly after: readonly (readonly number[])[];
  /** By operator: scratch bytes while it runs. */
  readonly scratch: readonly number[];
  readonly tensors: readonly OrderedTensor[];
}

export interface OrderedTensor {
  readonly bytes: number;
  /** null for inputs of the graph. */
  readonly producer: number | null;
  readonly consumers: readonly number[];
  /** Outputs of the graph stay live to the end. */
  readonly kept: boolean;
}

export interface Order {
  readonly operators: readonly number[];
  /** Peak of live bytes. */
  readonly peakBytes: number;
  /** Whether no order has a lower peak. */
  readonly proven: boolean;
}

/** Maximum number of sets of operators that the search visits. */
const maxStates = 20000;

/** The recursion is as deep as the number of operators; longer graphs keep their order. */
const maxOperators = 2000;

/** Peak of live bytes for an order. */
export function peakOf(problem: OrderProblem, operators: readonly number[]): number {
  const run = new Run(problem);
  return Math.max(run.live, ...operators.map((operator) => run.execute(operator)));
}

/**
 * Raises the limit from the minimum that every order needs until an order keeps it: depth first, each set of executed
 * operators once.
 */
export function bestOrder(problem: OrderProblem): Order {
  const given = problem.after.map((_, operator) => operator);
  const givenPeak = peakOf(problem, given);
  if (given.length > maxOperators) return { operators: given, peakBytes: givenPeak, proven: false };
  let limit = minPeak(problem);
  let states = maxStates;
  while (limit < givenPeak) {
    const search = new Search(problem, limit, states);
    const found = search.find();
    if (found !== null) return { operators: found, peakBytes: peakOf(problem, found), proven: true };
    states = search.left;
    // Without visited states the next limit is unknown: a better order may lie halfway to the given one.
    if (states <= 0) return withinReason(problem, limit, givenPeak, given);
    limit = search.nextLimit;
  }
  return { operators: given, peakBytes: givenPeak, proven: true };
}

/** Too many sets for a full search: bisect for the lowest limit that a short search can meet. */
function withinReason(problem: OrderProblem, impossible: number, known: number, given: readonly number[]): Order {
  let best: { operators: readonly number[]; peakBytes: number } = { operators: given, peakBytes: known };
  let low = impossible;
  for (let step = 0; step < 8 && best.peakBytes - low > best.peakBytes / 256; step++) {
    const limit = Math.floor((low + best.peakBytes) / 2);
    const found = new Search(problem, limit, maxStates / 4).find();
    if (found === null) low = limit;
    else best = { operators: found, peakBytes: peakOf(problem, found) };
  }
  return { ...best, proven: false };
}

/** Lower bound: the largest operator alone, and all inputs of the graph. */
function minPeak({ tensors, scratch }: OrderProblem): number {
  const own = scratch.slice();
  for (const { bytes, producer, consumers } of tensors) {
    for (const operator of new Set([...consumers, ...(producer === null ? [] : [producer])]))
      own[operator] = (own[operator] ?? 0) + bytes;
  }
  const inputs = tensors.reduce((sum, { bytes, producer }) => sum + (producer === null ? bytes : 0), 0);
  return Math.max(inputs, ...own);
}

/** Which operators have run, and which tensors are live. */
class Run {
  readonly done: Uint8Array;
  live: number;
  private readonly waiting: number[];
  private readonly touched: readonly (readonly number[])[];

  constructor(private readonly problem: OrderProblem) {
    const { tensors, after } = problem;
    this.done = new Uint8Array(after.length);
    this.waiting = tensors.map(({ consumers }) => consumers.length);
    const touched: number[][] = after.map(() => []);
    tensors.forEach(({ consumers, producer }, t) => {
      for (const operator of consumers) touched[operator]?.push(t);
      if (producer !== null) touched[producer]?.push(t);
    });
    this.touched = touched;
    this.live = tensors.reduce(
      (sum, { producer, bytes, consumers, kept }) =>
        sum + (producer === null && (consumers.length > 0 || kept) ? bytes : 0),
      0,
    );
  }

  isReady(operator: number): boolean {
    return (
      this.done[operator] === 0 && elementAt(this.problem.after, operator).every((before) => this.done[before] === 1)
    );
  }

  /** @returns live bytes while it runs */
  execute(operator: number): number {
    const made = this.made(operator);
    const during = this.live + made + elementAt(this.problem.scratch, operator);
    this.done[operator] = 1;
    this.live += made;
    for (const t of elementAt(this.touched, operator)) {
      const { consumers, producer, kept, bytes } = elementAt(this.problem.tensors, t);
      if (consumers.includes(operator)) this.waiting[t] = elementAt(this.waiting, t) - 1;
      else if (producer !== operator || consumers.length > 0) continue;
      if (this.waiting[t] === 0 && !kept) this.live -= bytes;
    }
    return during;
  }

  undo(operator: number): void {
    for (const t of elementAt(this.touched, operator)) {
      const { consumers, producer, kept, bytes } = elementAt(this.problem.tensors, t);
      const last = consumers.includes(operator) || (producer === operator && consumers.length === 0);
      if (last && this.waiting[t] === 0 && !kept) this.live += bytes;
      if (consumers.includes(operator)) this.waiting[t] = elementAt(this.waiting, t) + 1;
    }
    this.live -= this.made(operator);
    this.done[operator] = 0;
  }

  private made(operator: number): number {
    return elementAt(this.touched, operator).reduce((sum, t) => {
      const tensor = elementAt(this.problem.tensors, t);
      return sum + (tensor.producer === operator ? tensor.bytes : 0);
    }, 0);
  }
}

/** Searches an order within a limit. */
class Search {
  /** The smallest limit that would have allowed further search. */
  nextLimit = Infinity;
  private readonly run: Run;
  private readonly seen = new Set<string>();
  private readonly path: number[] = [];

  constructor(
    private readonly problem: OrderProblem,
    private readonly limit: number,
    /** Remaining number of sets to visit. */
    public left: number,
  ) {
    this.run = new Run(problem);
  }

  find(): number[] | null {
    return this.descend() ? [...this.path] : null;
  }

  private descend(): boolean {
    if (this.path.length === this.problem.after.length) return true;
    const { run } = this;
    const key = keyOf(run.done);
    if (this.seen.has(key) || this.left <= 0) return false;
    this.seen.add(key);
    this.left--;
    const before = run.live;
    const choices: { operator: number; after: number }[] = [];
    for (let operator = 0; operator < this.problem.after.length; operator++) {
      if (!run.isReady(operator)) continue;
      const during = run.execute(operator);
      const after = run.live;
      run.undo(operator);
      if (during > this.limit) this.nextLimit = Math.min(this.nextLimit, during);
      else choices.push({ operator, after });
    }
    choices.sort((a, b) => a.after - b.after || a.operator - b.operator);
    // An operator that frees at least as much as it allocates can always run first: it raises no later peak.
    const free = choices[0] !== undefined && choices[0].after <= before;
    for (const { operator } of free ? choices.slice(0, 1) : choices) {
      run.execute(operator);
      this.path.push(operator);
      if (this.descend()) return true;
      this.path.pop();
      run.undo(operator);
    }
    return false;
  }
}

function keyOf(done: Uint8Array): string {
  let key = '';
  for (let at = 0; at < done.length; at += 16) {
    let word = 0;
    for (let bit = 0; bit < 16; bit++) word |= (done[at + bit] ?? 0) << bit;
    key += String.fromCharCode(word);
  }
  return key;
}
