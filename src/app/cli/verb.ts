// The interface of a verb. Large modules are imported inside `run`, so that `--help` is fast.

import type { Command, OptionValues } from '@commander-js/extra-typings';
import type { VerbDocuments } from '../documents/index.js';
import type { JunitCase } from '../report/index.js';
import type { ProgressReporter } from './progress.js';

type VerbName = keyof VerbDocuments;

/** What a verb has done. */
export interface Outcome<Name extends VerbName = VerbName> {
  /** The JSON document without its schema field; null if everything has been written already. */
  readonly document: VerbDocuments[Name] | null;
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

export interface VerbOf<Name extends VerbName, Args extends unknown[], Options extends OptionValues> {
  readonly name: Name;
  readonly summary: string;
  /** Set for verbs whose outcome has `cases`; adds the option --junit. */
  readonly writesJunit?: true;
  /** Adds arguments and options; their types are those that `run` gets. */
  define(command: Command): Command<Args, Options>;
  run(context: Context, args: Args, options: Options): Promise<Outcome<Name>>;
}

/** A verb whose arguments and options have been checked by its own definition. */
// biome-ignore lint/suspicious/noExplicitAny: each verb has options of its own.
export type Verb = VerbOf<VerbName, any, any>;

/** The options that a `define` function adds. */
// biome-ignore lint/suspicious/noExplicitAny: arguments and options of any type.
export type OptionsOf<Define extends (command: Command) => Command<any, any>> = ReturnType<ReturnType<Define>['opts']>;

/** Types the arguments and options of a verb by its `define`. */
export function defineVerb<Name extends VerbName, Args extends unknown[], Options extends OptionValues>(
  verb: VerbOf<Name, Args, Options>,
): VerbOf<Name, Args, Options> {
  return verb;
}
