// The interface of a verb. Large modules are imported inside `run`, so that `--help` is fast.

import type { Command } from 'commander';
import type { JunitCase } from '../report/index.js';
import type { ProgressReporter } from './progress.js';

export interface Outcome {
  /** The JSON document without its schema field; null if everything has been written already. */
  readonly document: object | null;
  /** The text for people. */
  readonly text: string;
  /** 0, or 1 if a check failed. */
  readonly exitCode?: 0 | 1;
  /** Test cases for `--junit`. */
  readonly cases?: readonly JunitCase[];
  /** For verbs that run until they are interrupted: called after the document is printed. */
  readonly serve?: () => Promise<void>;
}

/**
 * For `serve`: waits for Ctrl-C, then stops serving.
 * @param lost rejects when it can no longer be served
 */
export function untilInterrupted(
  signal: AbortSignal,
  close: () => Promise<void>,
  lost: Promise<never> | null = null,
): () => Promise<void> {
  return async () => {
    const interrupted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      await (lost === null ? interrupted : Promise.race([interrupted, lost]));
    } finally {
      await close();
    }
  };
}

export interface Context {
  readonly progress: ProgressReporter;
  readonly signal: AbortSignal;
  /** Writes to stdout at once, for output that is read while the verb runs. */
  readonly write: (text: string) => void;
}

export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Set for verbs whose outcome has `cases`; adds the option --junit. */
  readonly writesJunit?: true;
  /** Adds arguments and options. */
  readonly define: (command: Command) => void;
  /** @param args positional arguments, then the options object as commander gives it */
  readonly run: (
    context: Context,
    args: readonly string[],
    options: Readonly<Record<string, unknown>>,
  ) => Promise<Outcome>;
}
