// The command line: parses arguments, calls a verb, renders its result. One JSON document or text on stdout; progress,
// notes and errors on stderr.

import { readFileSync } from 'node:fs';
import { Command, CommanderError, type OptionValues } from '@commander-js/extra-typings';
import { AtollError, exitCodes, fail, reasonOf } from '../../base/errors.js';
import { hintFor } from '../advice/hints.js';
import { withJunit } from './junit.js';
import { progressOn, silentProgress } from './progress.js';
import { listenForSignals } from './signals.js';
import type { Context, Outcome, Verb } from './verb.js';
import { verbs } from './verbs.js';

interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** @returns the exit code */
export async function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  const json = argv.includes('--json');
  const debug = argv.includes('--debug');
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort(fail('INTERRUPTED', {}));
  const signals = listenForSignals(onInterrupt);
  try {
    let code: number = exitCodes.done;
    const program = buildProgram(streams, json, async (verb, args, options) => {
      code = await runVerb(verb, args, options, json, interrupt.signal, streams);
    });
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return report(error, json, debug, streams);
  } finally {
    signals.close();
  }
}

type Action = (verb: Verb, args: readonly unknown[], options: OptionValues) => Promise<void>;

/** The program with every verb; the reference page is generated from it too. */
export function buildProgram(streams: Streams, json: boolean, action: Action): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command('atoll')
    .description(
      'Takes a trained float .tflite model to int8 on microcontrollers and Coral: quantize, check, simulate, ' +
        'push, measure.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      // With --json the error is the document, which report() writes.
      writeErr: (text) => void (json || streams.stderr.write(text)),
    })
    .showHelpAfterError('(add --help for the options)');
  for (const verb of verbs) {
    const command = program.command(verb.name).description(verb.summary);
    verb.define(command);
    if (verb.writesJunit === true) command.option('--junit <file>', 'also write the verdicts as JUnit XML');
    command
      .option('--json', 'print one JSON document instead of text')
      .option('--quiet', 'no progress on stderr')
      .option('--debug', 'print stack traces of errors')
      .action(() => action(verb, command.processedArgs, command.opts()));
  }
  return program;
}

async function runVerb(
  verb: Verb,
  args: readonly unknown[],
  options: OptionValues,
  json: boolean,
  signal: AbortSignal,
  streams: Streams,
): Promise<number> {
  const progress = options.quiet === true ? silentProgress : progressOn(streams.stderr);
  const context: Context = { progress, signal, write: (text) => void streams.stdout.write(text) };
  let outcome: Outcome;
  try {
    const junit = verb.writesJunit === true && typeof options.junit === 'string' ? options.junit : null;
    outcome = await withJunit(verb.name, junit, () => verb.run(context, args, options));
  } finally {
    progress.end();
  }
  const { document } = outcome;
  if (document !== null)
    streams.stdout.write(
      json ? `${JSON.stringify({ schema: `atoll/${verb.name}/1`, ...document }, null, 2)}\n` : `${outcome.text}\n`,
    );
  await outcome.serve?.();
  return outcome.exitCode ?? exitCodes.done;
}

/** Reports an uncaught error and returns the exit code. */
export function reportFailure(thrown: unknown, argv: readonly string[], streams: Streams = process): number {
  return report(thrown, argv.includes('--json'), argv.includes('--debug'), streams);
}

function report(thrown: unknown, json: boolean, debug: boolean, { stdout, stderr }: Streams): number {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.done;
  const fromCommander = thrown instanceof CommanderError;
  const error = fromCommander
    ? fail('USAGE', { reason: thrown.message.replace(/^error: /, '') }, thrown)
    : thrown instanceof AtollError
      ? thrown
      : fail('INTERNAL', { reason: reasonOf(thrown) }, thrown);
  const { code, message, where, values } = error;
  const hint = hintFor(error);
  if (json)
    stdout.write(
      `${JSON.stringify({ schema: 'atoll/error/1', error: { code, message, where, hint, values } }, null, 2)}\n`,
    );
  // Commander has already printed its own message.
  else if (!fromCommander) stderr.write(`error ${code}: ${message}\n  ${hint}\n`);
  if (debug)
    stderr.write(
      `${error.stack ?? ''}\n${error.cause instanceof Error ? `caused by ${error.cause.stack ?? ''}\n` : ''}`,
    );
  return error.exitCode;
}
