import { elementAt } from '../../../base/checked.js';

// In which order to run operators so that the tensors that are alive at once take the least room.

/** Operators and the tensors between them; sizes in bytes. */
export interface OrderProblem {
  /** By operator: operators that must have run. */
  readonly after: readonly (readonly number[])[];
  /** By operator: bytes that it needs for itself while it runs. */
  readonly scratch: readonly number[];
  readonly tensors: readonly OrderedTensor[];
}

export interface OrderedTensor {
  readonly bytes: number;
  /** null for inputs of the graph. */
  readonly producer: number | null;
  readonly consumers: readonly number[];
  /** Outputs of the graph stay to the end. */
  readonly kept: boolean;
}

export interface Order {
  readonly operators: readonly number[];
  /** Most bytes alive at once. */
  readonly peakBytes: number;
  /** Whether no order has a lower peak. */
  readonly proven: boolean;
}

/** Sets of operators that are looked at before the search gives up. */
const maxStates = 20000;

/** The search goes as deep as there are operators; longer graphs keep their order. */
const maxOperators = 2000;

/** Most bytes alive at once in an order. */
export function peakOf(problem: OrderProblem, operators: readonly number[]): number {
  const run = new Run(problem);
  return Math.max(run.live, ...operators.map((operator) => run.execute(operator)));
}

/**
 * Raises the limit from the least that any order needs until an order keeps it: depth first, each set of executed
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
    // Without states left the next limit is not known: halfway to the given order there may be a better one.
    if (states <= 0) return withinReason(problem, limit, givenPeak, given);
    limit = search.nextLimit;
  }
  return { operators: given, peakBytes: givenPeak, proven: true };
}

/**
 * Too many sets to look at all: the lowest limit that a short search keeps, halving the span between the impossible and
 * the known.
 */
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

/** What the hungriest operator needs by itself, and the inputs of the graph together. */
function minPeak({ tensors, scratch }: OrderProblem): number {
  const own = scratch.slice();
  for (const { bytes, producer, consumers } of tensors) {
    for (const operator of new Set([...consumers, ...(producer === null ? [] : [producer])]))
      own[operator] = (own[operator] ?? 0) + bytes;
  }
  const inputs = tensors.reduce((sum, { bytes, producer }) => sum + (producer === null ? bytes : 0), 0);
  return Math.max(inputs, ...own);
}

/** Which operators have run, and what is alive. */
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

  /** @returns what is alive while it runs */
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

/** For an order that keeps a limit. */
class Search {
  /** The least that would have let it go further. */
  nextLimit = Infinity;
  private readonly run: Run;
  private readonly seen = new Set<string>();
  private readonly path: number[] = [];

  constructor(
    private readonly problem: OrderProblem,
    private readonly limit: number,
    /** Sets that it may still look at. */
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
    // What frees as much as it takes can always go first: the more has run, the more it frees, so it raises no later
    // moment.
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
