// Named faults of simulated devices, to test how the host handles them.

import { fail } from '../../base/errors.js';
import { fileError } from './status-error.js';

export const faultNames = [
  'lost-response',
  'late-response',
  'duplicate-response',
  'dropped-line',
  'bad-crc',
  'console-noise',
  'short-write',
  'full-volume',
  'reboot-mid-upload',
  'unplug',
  'wrong-hash',
  'wrong-result',
] as const;
/** Faults of a simulated device. */
export type FaultName = (typeof faultNames)[number];

/** Every nth response is affected. */
const struck = 10;

/**
 * - lost-response: every nth response is not sent, though the request was executed
 * - late-response: it arrives after the response to the repeated request
 * - duplicate-response: it arrives twice
 * - dropped-line: on a console it loses a line
 * - bad-crc: on a console one of its letters is changed
 * - console-noise: on a console log text precedes, interrupts and follows every response
 * - short-write: one chunk is stored without its last byte and reported as complete
 * - full-volume: the second half of an image cannot be written
 * - reboot-mid-upload: the device resets once after half of the image
 * - unplug: the connection ends once after half of the image
 * - wrong-hash: the device hashes other bytes than it has
 * - wrong-result: the first output byte of every inference is off by one
 */
export class Faults {
  private answers = 0;
  private frames = 0;
  private readonly done = new Set<FaultName>();

  constructor(private readonly names: ReadonlySet<FaultName>) {}

  private has(name: FaultName): boolean {
    return this.names.has(name);
  }

  /** True for the first call only, and only if the fault is set. */
  private once(name: FaultName): boolean {
    if (!this.has(name) || this.done.has(name)) return false;
    this.done.add(name);
    return true;
  }

  /** Sends responses as the line of this device lets them through. @param send for one connection */
  responder(send: (answer: Uint8Array) => void): (answer: Uint8Array | null) => void {
    let held: Uint8Array | null = null;
    return (answer) => {
      if (answer === null) return;
      this.answers += 1;
      const strikes = this.answers % struck === 0;
      if (strikes && this.has('lost-response')) return;
      if (strikes && this.has('late-response')) {
        held = answer;
        return;
      }
      send(answer);
      if (held !== null) send(held);
      if (strikes && this.has('duplicate-response')) send(answer);
      held = null;
    };
  }

  /** What is stored of a chunk. @param late whether it lies in the second half of the image. @throws StatusError */
  stored(data: Uint8Array, late: boolean): Uint8Array {
    if (late && this.has('full-volume')) throw fileError('WRITE_FAILED');
    return late && this.once('short-write') ? new Uint8Array([...data.subarray(0, -1), 0]) : data;
  }

  /** What happens to the device after it has stored a chunk. */
  afterStoring(late: boolean): 'reset' | 'unplug' | null {
    if (late && this.once('reboot-mid-upload')) return 'reset';
    return late && this.once('unplug') ? 'unplug' : null;
  }

  /** The bytes that the device hashes. */
  hashed(data: Uint8Array): Uint8Array {
    return this.has('wrong-hash') ? data.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) : data;
  }

  /** Changes the lines of a response on their way over a console. */
  distort(lines: Uint8Array): Uint8Array {
    this.frames += 1;
    const text = Buffer.from(lines).toString('latin1');
    if (this.has('console-noise'))
      return Buffer.from(
        `[00:00:0${this.frames % 10}] <inf> noise\n${text.replaceAll('\n', '\n<dbg> between\r\n')}tail`,
        'latin1',
      );
    if (this.frames % struck !== 0) return lines;
    if (this.has('dropped-line')) return Buffer.from(text.slice(text.indexOf('\n') + 1), 'latin1');
    if (this.has('bad-crc'))
      return Buffer.from(
        text.replace(/[A-Za-z](?=[^A-Za-z]*\n$)/, (letter) => (letter === 'A' ? 'B' : 'A')),
        'latin1',
      );
    return lines;
  }
}

/** @throws USAGE for an unknown name */
export function faultsNamed(names: readonly string[]): FaultName[] {
  return names.map((name) => {
    const fault = faultNames.find((known) => known === name);
    if (fault === undefined)
      throw fail('USAGE', { reason: `there is no fault ${name}; the faults are ${faultNames.join(', ')}` });
    return fault;
  });
}
