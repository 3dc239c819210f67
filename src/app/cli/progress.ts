// Progress on stderr: a bar with the remaining time on a terminal, occasional lines in a log.

import type { Amount, OnProgress } from '../../base/progress.js';

export interface ProgressReporter {
  /** Shows how far a step has come; a new name begins a new step. */
  readonly update: OnProgress;
  /** Writes a line. */
  readonly note: (text: string) => void;
  /** Writes lines that replace the previous ones; in a log, only if they changed. */
  readonly draw: (text: string) => void;
  /** Removes the progress bar from the terminal. */
  readonly end: () => void;
}

export const silentProgress: ProgressReporter = {
  update: () => undefined,
  note: () => undefined,
  draw: () => undefined,
  end: () => undefined,
};

const redrawMs = 100;
const logMs = 5000;
const barLength = 24;

export function progressOn(stream: NodeJS.WriteStream, now: () => number = () => performance.now()): ProgressReporter {
  let step = '';
  let started = 0;
  let begun: number | null = null;
  let shown = Number.NEGATIVE_INFINITY;
  let drawn = false;
  let lines = 0;
  let last = '';
  const clear = (): void => {
    if (drawn) stream.write('\r\x1b[2K');
    if (lines > 0) stream.write(`\x1b[${lines}A\x1b[J`);
    drawn = false;
    lines = 0;
  };
  return {
    update: ({ step: name, done, total, unit }) => {
      const time = now();
      const changed = name !== step;
      if (changed) {
        step = name;
        started = time;
        begun = null;
        shown = Number.NEGATIVE_INFINITY;
        if (!stream.isTTY) stream.write(`${name} ...\n`);
      }
      if (total === null) return;
      begun ??= done;
      const last = done === total;
      if (!last && time - shown < (stream.isTTY ? redrawMs : logMs)) return;
      // A log gets no line for the first value: it already has the step's name.
      const first = shown === Number.NEGATIVE_INFINITY;
      shown = time;
      if (stream.isTTY) {
        clear();
        stream.write(
          barText(name, { done, total, ...(unit === undefined ? {} : { unit }) }, done - begun, time - started),
        );
        drawn = true;
      } else if (!first && !last) stream.write(`${name}: ${done} of ${total}\n`);
    },
    note: (text) => {
      clear();
      stream.write(`${text}\n`);
    },
    draw: (text) => {
      if (!stream.isTTY && text === last) return;
      clear();
      stream.write(`${text}\n`);
      last = text;
      // Long lines wrap in the terminal.
      if (stream.isTTY)
        lines = text
          .split('\n')
          .reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / (stream.columns || 80))), 0);
    },
    end: clear,
  };
}

/** @param gained increase of `done` since the step began: an upload may continue an earlier one */
function barText(name: string, { done, total, unit }: Amount, gained: number, elapsedMs: number): string {
  const share = total === 0 ? 1 : done / total;
  const filled = Math.round(share * barLength);
  const left = gained > 0 && done < total ? `  ${secondsText((elapsedMs * (total - done)) / gained)} left` : '';
  const amount =
    unit === 'bytes'
      ? `  ${done.toLocaleString('en')} of ${total.toLocaleString('en')} B${rateText(gained, elapsedMs)}`
      : '';
  return (
    `${name} [${'='.repeat(filled)}${' '.repeat(barLength - filled)}] ${Math.floor(100 * share)} ` + `%${amount}${left}`
  );
}

/** The first value has nothing to compare with. */
function rateText(bytes: number, elapsedMs: number): string {
  return bytes > 0 && elapsedMs > 0 ? `  ${Math.round((1000 * bytes) / elapsedMs).toLocaleString('en')} B/s` : '';
}

function secondsText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
